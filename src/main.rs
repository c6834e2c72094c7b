//! `irp`: see `irp --help`.

use std::process::ExitCode;

use clap::Parser;
use irp::cli::{Cli, Command, check, export, serve, trail, verify};

// It gives back to the system what nobody uses any more; the C library's allocator keeps it for each
// thread that ever needed it, and the bot stands for months.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One TLS provider for everybody, before anybody shakes hands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        // The error's text would carry the line, and the line a secret.
        eprintln!("irp: .env cannot be read: look for a line that is not NAME=value");
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("irp: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Serve => Box::pin(serve::serve()).await,
            Command::Check => {
                if Box::pin(check::check()).await {
                    Ok(())
                } else {
                    Err(anyhow::anyhow!("something above is wrong"))
                }
            }
            Command::Export(options) => Box::pin(export::export(options)).await,
            Command::Verify(options) => verify::verify(&options),
            Command::Trail(options) => trail::trail(options),
            #[cfg(feature = "sandbox")]
            Command::Sandbox(options) => Box::pin(irp::cli::sandbox::sandbox(options)).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("irp: {error:#}");
            ExitCode::FAILURE
        }
    }
}
