//! A few words with a Redis server, in the plainest form of its protocol: for arranging and for looking.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::DEADLINE;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status or a text.
    Text(String),
    /// A refusal.
    Error(String),
    /// A number.
    Number(i64),
    /// Several.
    List(Vec<Reply>),
    /// Nothing.
    Null,
}

impl Reply {
    /// The text; panics when it is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    /// The element at this place; panics when it is not there.
    pub fn at(&self, index: usize) -> &Reply {
        match self {
            Self::List(list) if index < list.len() => &list[index],
            other => panic!("{other:?} has nothing at {index}"),
        }
    }

    /// In a list of names and values: the text of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let Self::List(list) = self else { return None };
        let pair = list
            .chunks_exact(2)
            .find(|pair| pair[0] == Self::Text(name.to_owned()))?;
        Some(pair[1].text())
    }
}

pub(crate) struct Talk(BufReader<TcpStream>);

impl Talk {
    pub(crate) fn with(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) fn ask(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(command.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.trim_end();
        let Some(kind) = line.chars().next() else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let rest = &line[1..];
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        match kind {
            '+' => Ok(Reply::Text(rest.to_owned())),
            '-' => Ok(Reply::Error(rest.to_owned())),
            ':' => Ok(Reply::Number(number()?)),
            '$' | '*' if rest == "-1" => Ok(Reply::Null),
            '$' => {
                let length = usize::try_from(number()?).map_err(io::Error::other)?;
                let mut text = vec![0; length + 2];
                self.0.read_exact(&mut text)?;
                text.truncate(length);
                Ok(Reply::Text(String::from_utf8_lossy(&text).into_owned()))
            }
            '*' => {
                let count = number()?;
                (0..count)
                    .map(|_| self.reply())
                    .collect::<io::Result<_>>()
                    .map(Reply::List)
            }
            other => Err(io::Error::other(format!("a reply of the kind {other:?}"))),
        }
    }
}
