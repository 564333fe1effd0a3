//! Trying io_uring out: the three system calls, and what this kernel's rings can do.

use std::io;

use io_uring::{IoUring, Probe, opcode};

/// Entries of the ring that is tried: what a shard's own rings have.
const RING_ENTRIES: u32 = 128;

/// The system call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Setup,
    Register,
    Enter,
}

impl Call {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Setup => "io_uring_setup",
            Self::Register => "io_uring_register",
            Self::Enter => "io_uring_enter",
        }
    }
}

/// Why no ring could be used.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) call: Call,
    pub(super) error: io::Error,
}

/// What a ring of this kernel can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Abilities {
    /// Operations that a shard can't do without, and that are missing.
    pub(super) missing: Vec<&'static str>,
    /// One poll that reports again and again: idle streams wait in these.
    pub(super) multishot_poll: bool,
    /// One accept that takes many connections.
    pub(super) multishot_accept: bool,
    /// Sending without a copy.
    pub(super) zero_copy_send: bool,
    /// Several buffers in one send.
    pub(super) bundles: bool,
}

/// Operations that the executor or our own ring submits.
const NEEDED: &[(&str, u8)] = &[
    ("NOP", opcode::Nop::CODE),
    ("READV", opcode::Readv::CODE),
    ("WRITEV", opcode::Writev::CODE),
    ("FSYNC", opcode::Fsync::CODE),
    ("POLL_ADD", opcode::PollAdd::CODE),
    ("POLL_REMOVE", opcode::PollRemove::CODE),
    ("SENDMSG", opcode::SendMsg::CODE),
    ("RECVMSG", opcode::RecvMsg::CODE),
    ("TIMEOUT", opcode::Timeout::CODE),
    ("TIMEOUT_REMOVE", opcode::TimeoutRemove::CODE),
    ("LINK_TIMEOUT", opcode::LinkTimeout::CODE),
    ("ACCEPT", opcode::Accept::CODE),
    ("CONNECT", opcode::Connect::CODE),
    ("OPENAT", opcode::OpenAt::CODE),
    ("CLOSE", opcode::Close::CODE),
    ("STATX", opcode::Statx::CODE),
    ("READ", opcode::Read::CODE),
    ("WRITE", opcode::Write::CODE),
    ("SEND", opcode::Send::CODE),
    ("RECV", opcode::Recv::CODE),
    ("ASYNC_CANCEL", opcode::AsyncCancel::CODE),
];

/// Sets a ring up, asks what it can do, enters it once, and takes it down.
pub(super) fn try_out() -> Result<Abilities, Trouble> {
    let trouble = |call| move |error| Trouble { call, error };
    let ring = IoUring::new(RING_ENTRIES).map_err(trouble(Call::Setup))?;
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(trouble(Call::Register))?;
    ring.submit().map_err(trouble(Call::Enter))?;
    let parameters = ring.params();
    Ok(Abilities {
        missing: NEEDED
            .iter()
            .filter(|(_, code)| !probe.is_supported(*code))
            .map(|(name, _)| *name)
            .collect(),
        // Flags of an operation can't be probed. These two came in 5.13 and 5.19; what is asked
        // for instead came in 5.17 and, in the same release, 5.19.
        multishot_poll: parameters.is_feature_skip_cqe_on_success(),
        multishot_accept: probe.is_supported(opcode::Socket::CODE),
        zero_copy_send: probe.is_supported(opcode::SendZc::CODE),
        bundles: parameters.is_feature_recvsend_bundle(),
    })
}
