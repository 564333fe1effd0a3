//! How a connection begins: `HELLO 3` with the login and the name in one command; servers that don't
//! know it get `AUTH` and `CLIENT SETNAME`.
//!
//! `HELLO` and `AUTH` need no right, so the least rights of a user are those of its work. A refused
//! `CLIENT SETNAME` is passed over: the name is for whoever looks at the list of clients.

use super::{Protocol, RespError, Value, command};

/// What a server told of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The version that it speaks from now on.
    pub protocol: Protocol,
    /// It is a replica: what is published there reaches nobody above it. Servers before Redis 6
    /// don't tell.
    pub is_replica: bool,
    /// It is one of a cluster.
    pub is_clustered: bool,
}

/// Why a login failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The server refused it.
    #[error("the server refused the login ({0})")]
    Refused(String),
    /// The server has not loaded its data yet, or has lost its master.
    #[error("the server is not ready")]
    NotReady,
    /// An answer that fits no question.
    #[error("the server answered the login with something else")]
    Unexpected(#[from] RespError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hello,
    Auth,
    Name,
    Done,
}

/// A login: ask for [`Login::output`] at the start and after each reply.
pub struct Login {
    name: String,
    user: Option<String>,
    password: Option<String>,
    step: Step,
    out: Vec<u8>,
}

impl Login {
    /// A login under this name, without spaces; a user without a password is none.
    #[must_use]
    pub fn new(name: &str, user: Option<&str>, password: Option<&str>) -> Self {
        let mut out = Vec::new();
        let mut words: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = password {
            words.extend([
                b"AUTH".as_slice(),
                user.unwrap_or("default").as_bytes(),
                password.as_bytes(),
            ]);
        }
        words.extend([b"SETNAME".as_slice(), name.as_bytes()]);
        command(&mut out, &words);
        Self {
            name: name.to_owned(),
            user: user.map(str::to_owned),
            password: password.map(str::to_owned),
            step: Step::Hello,
            out,
        }
    }

    /// What is to be sent now; empty most of the time.
    #[must_use]
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The version in which the next reply comes.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self.step {
            Step::Hello => Protocol::Three,
            _ => Protocol::Two,
        }
    }

    /// Takes a reply; gives the server when the login is done.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn receive(&mut self, reply: &Value) -> Result<Option<Peer>, LoginError> {
        if let Value::Error(refusal) = reply {
            let code = refusal.code();
            match (code, self.step) {
                ("LOADING" | "MASTERDOWN", _) => return Err(LoginError::NotReady),
                ("ERR" | "NOPROTO" | "NOPERM", Step::Hello) => {
                    self.begin_again();
                    return Ok(None);
                }
                // The login in it was not even looked at: to strangers some servers say no more.
                ("NOAUTH", Step::Hello) if self.password.is_some() => {
                    self.begin_again();
                    return Ok(None);
                }
                ("ERR" | "NOPERM", Step::Name) => {}
                _ => return Err(LoginError::Refused(code.to_owned())),
            }
        }
        match (self.step, reply) {
            (Step::Hello, Value::List(pairs)) => {
                self.step = Step::Done;
                Ok(Some(Peer {
                    protocol: Protocol::Three,
                    is_replica: is(pairs, b"role", &[b"replica", b"slave"]),
                    is_clustered: is(pairs, b"mode", &[b"cluster"]),
                }))
            }
            (Step::Auth, Value::Text(_)) => {
                self.step = Step::Name;
                Ok(None)
            }
            (Step::Name, Value::Text(_) | Value::Error(_)) => {
                self.step = Step::Done;
                Ok(Some(Peer {
                    protocol: Protocol::Two,
                    is_replica: false,
                    is_clustered: false,
                }))
            }
            _ => Err(LoginError::Unexpected(RespError::Content)),
        }
    }

    /// The server does not take `HELLO`: the same in old words.
    fn begin_again(&mut self) {
        self.step = Step::Name;
        if let Some(password) = &self.password {
            let mut words: Vec<&[u8]> = vec![b"AUTH"];
            words.extend(self.user.as_ref().map(|user| user.as_bytes()));
            words.push(password.as_bytes());
            command(&mut self.out, &words);
            self.step = Step::Auth;
        }
        let name = self.name.as_bytes();
        command(&mut self.out, &[b"CLIENT", b"SETNAME", name]);
    }
}

/// Whether the value of `key` is one of `values`.
fn is(pairs: &[Value], key: &[u8], values: &[&[u8]]) -> bool {
    pairs.chunks_exact(2).any(|pair| {
        pair[0].as_text() == Some(key)
            && pair[1]
                .as_text()
                .is_some_and(|value| values.contains(&value))
    })
}

#[cfg(test)]
mod tests;
