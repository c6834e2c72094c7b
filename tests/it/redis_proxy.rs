//! Between a bot and a Redis server: loses, delays and cuts what a test names by a piece of its text.

#![allow(clippy::disallowed_methods, reason = "what is served here ends with the test")]

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// What happens to one command, and to its connection after that. Other connections, and new ones, are
/// not touched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Loss {
    /// It never arrives. The connection stays, and is silent from then on.
    Command,
    /// It is carried out, and the answer never comes. Silent from then on.
    Answer,
    /// It never arrives, and the connection ends.
    CutBefore,
    /// It is carried out, and the connection ends in place of the answer.
    CutAfter,
    /// It arrives so late, and so does all that follows it.
    Late(Duration),
    /// The server hears that nothing more comes, and the bot hears nothing: it never arrives.
    HalfClosedToServer,
    /// The bot hears that nothing more comes, and what it has sent is carried out.
    HalfClosedToBot,
}

/// Listens on a port of its own until it is dropped.
pub(crate) struct RedisProxy {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    losses: Mutex<Vec<(String, Loss)>>,
    /// How many commands have met their loss.
    met: watch::Sender<usize>,
    up: watch::Sender<bool>,
}

/// What becomes of what the server says.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Answers {
    Pass,
    Lost,
    /// The bot is told that there are no more.
    Ended,
    /// Lost, and the connection ends when the server has worked off all it was sent.
    Cut,
}

impl RedisProxy {
    /// In front of this server, and of the database that the address names.
    pub(crate) async fn start(server: &str) -> Self {
        let mut url: Url = server.parse().unwrap();
        let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (met, up) = (watch::Sender::new(0), watch::Sender::new(true));
        let shared = Arc::new(Shared { server: address, losses: Mutex::default(), met, up });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { url: url.to_string(), shared }
    }

    /// Where the bot finds it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The next command with this in it meets this; several wait, one command each.
    pub(crate) fn lose(&self, having: &str, loss: Loss) {
        self.shared.losses.lock().unwrap().push((having.to_owned(), loss));
    }

    /// Whatever has not been met will not be.
    pub(crate) fn forget(&self) {
        self.shared.losses.lock().unwrap().clear();
    }

    /// How many commands have met their loss.
    pub(crate) fn met(&self) -> usize {
        *self.shared.met.borrow()
    }

    /// Cuts all connections and takes no more.
    pub(crate) fn down(&self) {
        self.shared.up.send_replace(false);
    }

    /// Ends [`Self::down`].
    pub(crate) fn up(&self) {
        self.shared.up.send_replace(true);
    }
}

impl Drop for RedisProxy {
    fn drop(&mut self) {
        self.down();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((bot, _)) = listener.accept().await {
        let mut up = shared.up.subscribe();
        if *up.borrow_and_update() {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                tokio::select! {
                    // However it ends, dropping both ends cuts what is left of it.
                    _ = carry(bot, &shared) => {}
                    _ = up.wait_for(|up| !up) => {}
                }
            });
        }
    }
}

async fn carry(bot: TcpStream, shared: &Shared) -> io::Result<()> {
    let server = TcpStream::connect(&shared.server).await?;
    for end in [&bot, &server] {
        end.set_nodelay(true)?;
    }
    let (from_bot, to_bot) = bot.into_split();
    let (from_server, to_server) = server.into_split();
    let (fate, fates) = watch::channel(Answers::Pass);
    tokio::select! {
        ended = commands(from_bot, to_server, shared, &fate) => ended,
        ended = answers(from_server, to_bot, fates) => ended,
    }
}

async fn commands(
    mut bot: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    shared: &Shared,
    answers: &watch::Sender<Answers>,
) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        while let Some(length) = command_length(&read) {
            let command: Vec<u8> = read.drain(..length).collect();
            let loss = shared.loss_of(&command);
            match loss {
                Some(Loss::Late(by)) => tokio::time::sleep(by).await,
                Some(Loss::Command | Loss::Answer) => _ = answers.send(Answers::Lost),
                Some(Loss::CutAfter) => _ = answers.send(Answers::Cut),
                Some(Loss::HalfClosedToBot) => _ = answers.send(Answers::Ended),
                Some(Loss::HalfClosedToServer) => {
                    let _ = answers.send(Answers::Lost);
                    server.shutdown().await?;
                }
                Some(Loss::CutBefore) | None => {}
            }
            if !matches!(loss, Some(Loss::Command | Loss::CutBefore | Loss::HalfClosedToServer)) {
                server.write_all(&command).await?;
            }
            if loss.is_some() {
                shared.met.send_modify(|met| *met += 1);
            }
            match loss {
                Some(Loss::CutBefore) => return Ok(()),
                // It works off what it has before it takes note of the end.
                Some(Loss::CutAfter) => {
                    server.shutdown().await?;
                    std::future::pending::<()>().await;
                }
                Some(Loss::Command | Loss::Answer | Loss::HalfClosedToServer) => return drained(bot).await,
                Some(Loss::Late(_) | Loss::HalfClosedToBot) | None => {}
            }
        }
        if bot.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
}

async fn drained(mut bot: OwnedReadHalf) -> io::Result<()> {
    tokio::io::copy(&mut bot, &mut tokio::io::sink()).await.map(|_| ())
}

async fn answers(
    mut server: OwnedReadHalf,
    mut bot: OwnedWriteHalf,
    mut fates: watch::Receiver<Answers>,
) -> io::Result<()> {
    let mut read = vec![0; 1 << 16];
    loop {
        let length = tokio::select! {
            biased;
            Ok(()) = fates.changed() => {
                if *fates.borrow() == Answers::Ended {
                    bot.shutdown().await?;
                }
                continue;
            }
            length = server.read(&mut read) => length?,
        };
        let fate = *fates.borrow();
        match (length, fate) {
            (0, Answers::Pass | Answers::Cut) => return Ok(()),
            // The server is through with it, and the bot does not hear so.
            (0, _) => std::future::pending().await,
            (length, Answers::Pass) => bot.write_all(&read[..length]).await?,
            _ => {}
        }
    }
}

impl Shared {
    fn loss_of(&self, command: &[u8]) -> Option<Loss> {
        let mut losses = self.losses.lock().unwrap();
        if losses.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(command);
        let at = losses.iter().position(|(having, _)| text.contains(having))?;
        Some(losses.remove(at).1)
    }
}

/// The length of the first whole command, an array of strings as clients send it.
fn command_length(read: &[u8]) -> Option<usize> {
    let number = |at: usize| {
        let end = at + read.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let digits = std::str::from_utf8(read.get(at + 1..end)?).ok()?;
        Some((digits.parse::<usize>().ok()?, end + 2))
    };
    let (strings, mut at) = number(0)?;
    for _ in 0..strings {
        let (length, start) = number(at)?;
        at = start + length + 2;
    }
    (at <= read.len()).then_some(at)
}
