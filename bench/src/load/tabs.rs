//! Tabs that don't just watch: they hide and come back, or stop to read.
//!
//! Invariant: [`Load`]'s `live` and `behind` count no hidden tab and no frozen reader, so a tick waits for neither.

use rustix::event::epoll::{self, EventData, EventFlags};

use super::client::Phase;
use super::{Load, LoadError, PATIENCE, WINDOW};

impl Load {
    /// How many streams are open and read.
    pub fn live(&self) -> usize {
        self.live
    }

    /// How many streams the latest tick was for.
    pub fn reached(&self) -> usize {
        self.reached
    }

    /// Hides the tabs of `range`: their streams end, their pages stay.
    pub fn hide(&mut self, range: std::ops::Range<usize>) -> Result<(), LoadError> {
        for index in range {
            let client = &mut self.clients[index];
            if client.phase == Phase::Live {
                epoll::delete(&self.epoll, &client.socket)?;
                // The server may have been faster: then the stream has ended already.
                _ = client.hide();
                self.live -= 1;
            }
        }
        Ok(())
    }

    /// Shows hidden tabs of `range` again and returns when all of them have their stream.
    pub fn show(&mut self, range: std::ops::Range<usize>) -> Result<(), LoadError> {
        let before = self.live;
        let mut coming = 0;
        for index in range {
            let newest = self.dialect.newest(index, self.asked);
            let client = &mut self.clients[index];
            if client.phase == Phase::Hidden {
                client.show(self.server, index, newest)?;
                let key = EventData::new_u64(index as u64);
                epoll::add(&self.epoll, &client.socket, key, EventFlags::OUT)?;
                coming += 1;
            }
        }
        self.wait_for_live("showing tabs again", before + coming)
    }

    /// Closes the tabs of `range` whose stream is open and read, and opens new ones in their place, a few at a time; returns when all of them have
    /// their stream.
    pub fn replace(&mut self, range: std::ops::Range<usize>) -> Result<(), LoadError> {
        let live = self.live;
        for first in range.clone().step_by(WINDOW) {
            for index in first..range.end.min(first + WINDOW) {
                let old = &self.clients[index];
                if old.phase != Phase::Live || old.frozen {
                    continue;
                }
                let client = self.dial(index)?;
                let old = std::mem::replace(&mut self.clients[index], client);
                self.live -= 1;
                self.past += old.account.close(self.dialect.newest(index, self.asked));
            }
            self.wait_for_live("opening tabs in the place of others", live)?;
        }
        Ok(())
    }

    fn wait_for_live(&mut self, doing: &'static str, live: usize) -> Result<(), LoadError> {
        let before = self.live;
        while self.live < live {
            if self.turn(PATIENCE)? == 0 {
                return Err(LoadError::Silent {
                    doing,
                    done: self.live.saturating_sub(before),
                    of: live - before,
                });
            }
        }
        Ok(())
    }

    /// Stops to read the streams of `range`; the kernel still takes what fits into the sockets' buffers.
    pub fn freeze(&mut self, range: std::ops::Range<usize>) -> Result<(), LoadError> {
        for index in range {
            let client = &mut self.clients[index];
            if client.phase == Phase::Live && !client.frozen {
                epoll::delete(&self.epoll, &client.socket)?;
                client.frozen = true;
                self.live -= 1;
            }
        }
        Ok(())
    }

    /// Reads on with a frozen reader. Returns how many bytes came until it had the newest event, those left out that
    /// its own socket held already; none where the stream ended first.
    pub fn thaw(&mut self, index: usize) -> Result<Option<u64>, LoadError> {
        let newest = self.dialect.newest(index, self.asked);
        let client = &mut self.clients[index];
        let failed = |source| LoadError::Connect { index, source };
        client.socket.set_nonblocking(false).map_err(failed)?;
        client
            .socket
            .set_read_timeout(Some(PATIENCE))
            .map_err(failed)?;
        let held = rustix::io::ioctl_fionread(&client.socket)?;
        // What was merged meanwhile is no loss.
        client.account.excuse(0);
        let mut bytes = 0;
        while client.account.highest() < newest {
            // A socket that the server has reset says so instead of giving 0.
            let count = std::io::Read::read(&mut client.socket, &mut self.buffer).unwrap_or(0);
            if count == 0 {
                return Ok(None);
            }
            bytes += count as u64;
            client.take_events(&self.buffer[..count], newest)?;
        }
        Ok(Some(bytes.saturating_sub(held)))
    }
}
