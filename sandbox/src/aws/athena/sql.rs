//! What of SQL is known: `SELECT column [AS name], … FROM database.table WHERE condition AND … [ORDER BY column
//! [ASC|DESC]] [LIMIT n]`, where a condition is `=`, `>=`, `<=`, `IN`, `BETWEEN`, or several of those with `OR` in
//! parentheses, of a column and texts in single quotes. A column is a name or a path into a struct, and names can stand
//! in double quotes.

use bytes::Bytes;
use serde_json::Value;

/// Columns of the table, the partitions' last, and the fields of its struct.
pub(super) const COLUMNS: [&str; 25] = [
    "eventversion",
    "eventtime",
    "eventsource",
    "eventname",
    "awsregion",
    "sourceipaddress",
    "useragent",
    "errorcode",
    "errormessage",
    "requestparameters",
    "responseelements",
    "additionaleventdata",
    "requestid",
    "eventid",
    "readonly",
    "eventtype",
    "apiversion",
    "recipientaccountid",
    "serviceeventdetails",
    "sharedeventid",
    "vpcendpointid",
    "eventcategory",
    "resources",
    REGION,
    DAY,
];
const REGION: &str = "region";
const DAY: &str = "timestamp";
/// Those that come from a file's place.
pub(super) const PARTITIONS: [&str; 2] = [REGION, DAY];
const IDENTITY: [&str; 14] = [
    "useridentity.type",
    "useridentity.principalid",
    "useridentity.arn",
    "useridentity.accountid",
    "useridentity.invokedby",
    "useridentity.accesskeyid",
    "useridentity.username",
    "useridentity.sessioncontext.attributes.mfaauthenticated",
    "useridentity.sessioncontext.attributes.creationdate",
    "useridentity.sessioncontext.sessionissuer.type",
    "useridentity.sessioncontext.sessionissuer.principalid",
    "useridentity.sessioncontext.sessionissuer.arn",
    "useridentity.sessioncontext.sessionissuer.accountid",
    "useridentity.sessioncontext.sessionissuer.username",
];

/// One file of the table, with the partition that it is in.
pub(super) struct Files<'a> {
    pub(super) region: &'a str,
    pub(super) day: &'a str,
    pub(super) text: &'a Bytes,
}

/// A statement that can be carried out.
#[derive(Debug)]
pub(super) struct Query {
    /// Path and name.
    select: Vec<(String, String)>,
    /// Database and table.
    pub(super) from: (String, String),
    all_of: Vec<Condition>,
    order: Option<(String, bool)>,
    limit: Option<usize>,
}

#[derive(Debug)]
enum Condition {
    In(String, Vec<String>),
    AtLeast(String, String),
    AtMost(String, String),
    AnyOf(Vec<Condition>),
    AllOf(Vec<Condition>),
}

/// Columns, rows, and bytes that were read.
type Answer = (Vec<String>, Vec<Vec<Option<String>>>, u64);

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or a keyword, in lower case.
    Word(String),
    /// A name in double quotes.
    Name(String),
    Text(String),
    Number(usize),
    Sign(&'static str),
}

const KEYWORDS: [&str; 13] =
    ["select", "from", "where", "and", "or", "in", "between", "as", "order", "by", "asc", "desc", "limit"];
const SIGNS: [&str; 7] = ["<=", ">=", "=", "(", ")", ",", "."];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let wrong = || format!("line 1:{}: mismatched input '{c}'", start + 1);
        let rest = &text[at..];
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let token = if c == '\'' || c == '"' {
            // Twice stands for itself.
            let mut inside = String::new();
            let mut letters = rest.char_indices().skip(1).peekable();
            loop {
                match letters.next() {
                    None => return Err(wrong()),
                    Some((end, letter)) if letter == c => {
                        if letters.next_if(|(_, next)| *next == c).is_none() {
                            at += end + 1;
                            break;
                        }
                        inside.push(c);
                    }
                    Some((_, letter)) => inside.push(letter),
                }
            }
            if c == '"' { Token::Name(inside) } else { Token::Text(inside) }
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            at += sign.len();
            Token::Sign(sign)
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let word = &rest[..end];
            at += end;
            match word.parse() {
                Ok(number) => Token::Number(number),
                Err(_) if word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                    Token::Word(word.to_ascii_lowercase())
                }
                Err(_) => return Err(wrong()),
            }
        };
        found.push((start, token));
    }
    Ok(found)
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<(usize, Token)>>,
}

impl Parser {
    fn wrong<T>(&mut self) -> Result<T, String> {
        Err(match self.tokens.peek() {
            Some((at, token)) => format!("line 1:{}: mismatched input {token:?}", at + 1),
            None => "line 1:1: mismatched input '<EOF>'".to_owned(),
        })
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        self.tokens.next_if(|(_, token)| token == wanted).is_some()
    }

    fn word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    fn sign(&mut self, sign: &'static str) -> bool {
        self.takes(&Token::Sign(sign))
    }

    fn needs(&mut self, word: &str) -> Result<(), String> {
        if self.word(word) { Ok(()) } else { self.wrong() }
    }

    fn needs_sign(&mut self, sign: &'static str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { self.wrong() }
    }

    fn name(&mut self) -> Result<String, String> {
        let is_name = |token: &Token| match token {
            Token::Name(_) => true,
            Token::Word(word) => !KEYWORDS.contains(&word.as_str()),
            _ => false,
        };
        match self.tokens.next_if(|(_, token)| is_name(token)) {
            Some((_, Token::Name(name) | Token::Word(name))) => Ok(name),
            _ => self.wrong(),
        }
    }

    fn path(&mut self) -> Result<String, String> {
        let mut path = self.name()?;
        while self.sign(".") {
            path = format!("{path}.{}", self.name()?);
        }
        Ok(path)
    }

    fn text(&mut self) -> Result<String, String> {
        match self.tokens.next_if(|(_, token)| matches!(token, Token::Text(_))) {
            Some((_, Token::Text(text))) => Ok(text),
            _ => self.wrong(),
        }
    }

    fn number(&mut self) -> Result<usize, String> {
        match self.tokens.next_if(|(_, token)| matches!(token, Token::Number(_))) {
            Some((_, Token::Number(number))) => Ok(number),
            _ => self.wrong(),
        }
    }

    fn condition(&mut self) -> Result<Condition, String> {
        if self.sign("(") {
            let mut any = vec![self.condition()?];
            while self.word("or") {
                any.push(self.condition()?);
            }
            self.needs_sign(")")?;
            return Ok(Condition::AnyOf(any));
        }
        let path = self.path()?;
        if self.sign("=") {
            return Ok(Condition::In(path, vec![self.text()?]));
        }
        if self.sign(">=") {
            return Ok(Condition::AtLeast(path, self.text()?));
        }
        if self.sign("<=") {
            return Ok(Condition::AtMost(path, self.text()?));
        }
        if self.word("between") {
            let from = Condition::AtLeast(path.clone(), self.text()?);
            self.needs("and")?;
            return Ok(Condition::AllOf(vec![from, Condition::AtMost(path, self.text()?)]));
        }
        self.needs("in")?;
        self.needs_sign("(")?;
        let mut values = vec![self.text()?];
        while self.sign(",") {
            values.push(self.text()?);
        }
        self.needs_sign(")")?;
        Ok(Condition::In(path, values))
    }
}

impl Query {
    /// The error is Athena's sentence about what it cannot parse.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable() };
        parser.needs("select")?;
        let mut select = Vec::new();
        loop {
            let path = parser.path()?;
            let last = path.rsplit('.').next().unwrap_or(&path).to_owned();
            let name = if parser.word("as") { parser.name()? } else { last };
            select.push((path, name));
            if !parser.sign(",") {
                break;
            }
        }
        parser.needs("from")?;
        let database = parser.name()?;
        parser.needs_sign(".")?;
        let from = (database, parser.name()?);
        parser.needs("where")?;
        let mut all_of = vec![parser.condition()?];
        while parser.word("and") {
            all_of.push(parser.condition()?);
        }
        let mut order = None;
        if parser.word("order") {
            parser.needs("by")?;
            let path = parser.path()?;
            let falling = parser.word("desc");
            if !falling {
                parser.word("asc");
            }
            order = Some((path, falling));
        }
        let limit = if parser.word("limit") { Some(parser.number()?) } else { None };
        if parser.tokens.peek().is_some() {
            return parser.wrong();
        }
        Ok(Self { select, from, all_of, order, limit })
    }

    /// Goes through the files whose partition can have what is asked for. The error is why the query fails.
    pub(super) fn run<'a>(&self, files: impl Iterator<Item = Files<'a>>) -> Result<Answer, String> {
        self.check("")?;
        let (mut found, mut bytes): (Vec<Row>, u64) = (Vec::new(), 0);
        for file in files {
            let partition = |path: &str| match path {
                REGION => Some(file.region.to_owned()),
                DAY => Some(file.day.to_owned()),
                _ => None,
            };
            if self.all_of.iter().any(|condition| condition.is_of_partition() && !condition.holds(&partition)) {
                continue;
            }
            bytes += file.text.len() as u64;
            let Ok(whole) = serde_json::from_slice::<Value>(file.text) else {
                return Err("HIVE_CURSOR_ERROR: Row is not a valid JSON Object".to_owned());
            };
            for record in whole["Records"].as_array().into_iter().flatten() {
                let value = |path: &str| partition(path).or_else(|| value_at(record, path));
                if self.all_of.iter().all(|condition| condition.holds(&value)) {
                    let order = self.order.as_ref().and_then(|(path, _)| value(path));
                    found.push((order, self.select.iter().map(|(path, _)| value(path)).collect()));
                }
            }
        }
        if let Some((_, falling)) = self.order {
            found.sort_by(|(one, _), (other, _)| if falling { other.cmp(one) } else { one.cmp(other) });
        }
        let columns = self.select.iter().map(|(_, name)| name.clone()).collect();
        let rows = found.into_iter().map(|(_, row)| row).take(self.limit.unwrap_or(usize::MAX)).collect();
        Ok((columns, rows, bytes))
    }

    /// Whether a table that is without one of the columns has all that is asked for.
    pub(super) fn check(&self, lacking: &str) -> Result<(), String> {
        let mut paths: Vec<&str> = self.select.iter().map(|(path, _)| path.as_str()).collect();
        paths.extend(self.order.iter().map(|(path, _)| path.as_str()));
        self.all_of.iter().for_each(|condition| condition.paths(&mut paths));
        let is_unknown = |path: &&str| *path == lacking || (!COLUMNS.contains(path) && !IDENTITY.contains(path));
        match paths.into_iter().find(is_unknown) {
            Some(path) => Err(format!("COLUMN_NOT_FOUND: line 1:8: Column '{path}' cannot be resolved")),
            None => Ok(()),
        }
    }
}

/// What it is ordered by, and its values.
type Row = (Option<String>, Vec<Option<String>>);

impl Condition {
    fn holds(&self, value: &dyn Fn(&str) -> Option<String>) -> bool {
        match self {
            Self::In(path, wanted) => value(path).is_some_and(|value| wanted.contains(&value)),
            Self::AtLeast(path, least) => value(path).is_some_and(|value| value >= *least),
            Self::AtMost(path, most) => value(path).is_some_and(|value| value <= *most),
            Self::AnyOf(any) => any.iter().any(|condition| condition.holds(value)),
            Self::AllOf(all) => all.iter().all(|condition| condition.holds(value)),
        }
    }

    fn paths<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::In(path, _) | Self::AtLeast(path, _) | Self::AtMost(path, _) => found.push(path),
            Self::AnyOf(several) | Self::AllOf(several) => {
                for condition in several {
                    condition.paths(found);
                }
            }
        }
    }

    /// Whether the path of a file alone decides it.
    fn is_of_partition(&self) -> bool {
        let mut paths = Vec::new();
        self.paths(&mut paths);
        paths.iter().all(|path| PARTITIONS.contains(path))
    }
}

/// A column of the table is in lower case, whatever the record has; what is no text is JSON as text.
fn value_at(record: &Value, path: &str) -> Option<String> {
    let mut value = record;
    for part in path.split('.') {
        value = value.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(part))?.1;
    }
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(statement: &str) -> Result<Answer, String> {
        let record = |name: &str, address: &str| {
            json!({"eventName": name, "sourceIPAddress": address, "awsRegion": "us-east-1", "eventTime": "2026-01-01T00:00:00Z",
                "userIdentity": {"accessKeyId": "AKIA1", "type": "IAMUser"}, "requestParameters": {"key": "it's"}})
        };
        let here = json!({"Records": [record("A", "1.1.1.1"), record("B", "2.2.2.2"), record("C", "1.1.1.1")]});
        let there = json!({"Records": [record("D", "1.1.1.1")]});
        let (here, there) = (Bytes::from(here.to_string()), Bytes::from(there.to_string()));
        let files = [
            Files { region: "us-east-1", day: "2026/01/01", text: &here },
            Files { region: "eu-west-1", day: "2026/01/01", text: &there },
        ];
        Query::parse(statement)?.run(files.into_iter())
    }

    #[test]
    fn only_the_partitions_that_are_asked_for_are_read() {
        let all = run("SELECT eventname FROM d.t WHERE \"timestamp\" BETWEEN '2026/01/01' AND '2026/01/02'").unwrap();
        let one = run("SELECT eventname FROM d.t WHERE region IN ('us-east-1') AND sourceipaddress = '1.1.1.1' \
                       ORDER BY eventname DESC LIMIT 1")
        .unwrap();
        assert!(one.2 < all.2 && one.2 > 0);
        assert_eq!((all.1.len(), one.1), (4, vec![vec![Some("C".to_owned())]]));
        assert_eq!(run("SELECT eventname FROM d.t WHERE region = 'mars'").unwrap().2, 0);
    }

    #[test]
    fn a_column_is_a_name_or_a_path_and_json_is_text() {
        let (names, rows, _) = run("select useridentity.type as t, requestparameters, errorcode from \"d\".\"t\" where \
                                    (useridentity.accesskeyid in ('x', 'AKIA1') or eventname = 'it''s') and eventname <= 'A'")
        .unwrap();
        assert_eq!(names, ["t", "requestparameters", "errorcode"]);
        assert_eq!(rows, [[Some("IAMUser".to_owned()), Some("{\"key\":\"it's\"}".to_owned()), None]]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            "",
            "DROP TABLE t",
            "SELECT * FROM d.t WHERE eventname = 'A'",
            "SELECT eventname FROM d.t",
            "SELECT eventname FROM d.t WHERE eventname = 'A' OR eventname = 'B'",
            "SELECT eventname FROM d.t WHERE eventname = 'A' -- more",
            "SELECT eventname FROM d.t WHERE eventname = 'A'; SELECT eventname FROM d.t WHERE eventname = 'A'",
            "SELECT eventname FROM d.t WHERE eventname = 'A",
            "SELECT eventname FROM d.t WHERE eventname = 1",
            "SELECT eventname FROM d.t WHERE eventname LIKE 'A'",
            "SELECT eventname FROM d.t WHERE eventname = 'A' LIMIT x",
        ] {
            assert!(Query::parse(wrong).unwrap_err().starts_with("line 1:"), "{wrong}");
        }
        let unknown = run("SELECT eventnam FROM d.t WHERE region = 'x'").unwrap_err();
        assert!(unknown.starts_with("COLUMN_NOT_FOUND"), "{unknown}");
    }
}
