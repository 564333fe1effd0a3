//! Redis servers that work together: a master with a replica and three sentinels; a cluster of three.

use super::talk::Talk;
use super::{PORTS_TRIED, Redis, Reply, RunningRedis, free_port, server_command, started};
use crate::deadline::eventually;
use crate::folder::Folder;
use crate::process::Process;

/// Three sentinels, a master and a replica.
pub struct RedisSentinels {
    servers: [RunningRedis; 2],
    sentinels: Vec<(u16, Process)>,
    _folder: Folder,
}

impl RedisSentinels {
    /// The name under which the sentinels know the master.
    pub const MASTER: &'static str = "the-master";

    /// Starts all five and waits until they know each other.
    pub fn start() -> Self {
        let master = Redis::new().start();
        let port = master.port().to_string();
        let replica = Redis::new()
            .args(&["--replicaof", "127.0.0.1", &port])
            .start();
        let folder = Folder::new("sentinels");
        let sentinels = (0..3)
            .map(|number| start_sentinel(&folder, number, master.port()))
            .collect();
        let group = Self {
            servers: [master, replica],
            sentinels,
            _folder: folder,
        };
        for port in group.ports() {
            eventually("sentinels that know each other", || {
                let known = ask(port, &["SENTINEL", "master", Self::MASTER])?;
                let is_complete = known.field("num-other-sentinels") == Some("2")
                    && known.field("num-slaves") == Some("1");
                is_complete.then_some(())
            });
        }
        eventually("a replica that is in step", || {
            let role = group.servers[0].must(&["ROLE"]);
            matches!(role.at(2), Reply::List(list) if !list.is_empty()).then_some(())
        });
        group
    }

    /// The ports of the sentinels.
    pub fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(|(port, _)| *port).collect()
    }

    /// The server that was the master at the start.
    pub fn first(&self) -> &RunningRedis {
        &self.servers[0]
    }

    /// The server that was the replica at the start.
    pub fn second(&self) -> &RunningRedis {
        &self.servers[1]
    }

    /// Has the sentinels choose another master, as an operator does; the old one goes on as a replica.
    pub fn fail_over(&self) {
        eventually("sentinels that agree to a failover", || {
            let reply = ask(self.ports()[0], &["SENTINEL", "failover", Self::MASTER])?;
            (reply == Reply::Text("OK".to_owned())).then_some(())
        });
    }

    /// Waits until all sentinels name this port.
    pub fn wait_master(&self, master: u16) {
        let wanted = Reply::Text(master.to_string());
        for port in self.ports() {
            eventually("a new master", || {
                let place = ask(port, &["SENTINEL", "get-master-addr-by-name", Self::MASTER])?;
                (place.at(1) == &wanted).then_some(())
            });
        }
    }

    /// Kills one of the sentinels by SIGKILL.
    pub fn kill_sentinel(&self, index: usize) {
        let process = &self.sentinels[index].1;
        process.signal(rustix::process::Signal::KILL);
        process.wait_exit();
    }
}

fn ask(port: u16, words: &[&str]) -> Option<Reply> {
    Talk::with(port).ok()?.ask(words).ok()
}

fn start_sentinel(folder: &Folder, number: usize, master: u16) -> (u16, Process) {
    for _ in 0..PORTS_TRIED {
        let port = free_port();
        let name = RedisSentinels::MASTER;
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {name} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {name} 1000\nsentinel failover-timeout {name} 5000\n"
        );
        let path = folder.write(&format!("sentinel-{number}.conf"), config);
        let mut command = server_command();
        command
            .current_dir(folder.path())
            .arg(path)
            .arg("--sentinel");
        if let Some(process) = started(command) {
            return (port, process);
        }
    }
    panic!("redis-server --sentinel takes none of {PORTS_TRIED} free ports");
}

/// A cluster of three masters, which share the slots in equal parts.
pub struct RedisCluster {
    servers: Vec<RunningRedis>,
}

impl RedisCluster {
    /// Starts the three and waits until each says that the cluster is well.
    pub fn start() -> Self {
        let servers: Vec<(RunningRedis, u16)> = (0..3)
            .map(|_| {
                let bus = free_port();
                let bus_text = bus.to_string();
                let server = Redis::new()
                    .args(&["--cluster-enabled", "yes", "--cluster-port", &bus_text])
                    .start();
                (server, bus)
            })
            .collect();
        let parts = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        let (first, bus) = &servers[0];
        for ((server, _), (from, to)) in servers.iter().zip(parts) {
            server.must(&["CLUSTER", "ADDSLOTSRANGE", from, to]);
            let (port, bus) = (first.port().to_string(), bus.to_string());
            server.must(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let servers: Vec<RunningRedis> = servers.into_iter().map(|(server, _)| server).collect();
        for server in &servers {
            eventually("a cluster that is well", || {
                let info = server.must(&["CLUSTER", "INFO"]);
                let is_well = info.text().contains("cluster_state:ok")
                    && info.text().contains("cluster_known_nodes:3")
                    && info.text().contains("cluster_size:3");
                is_well.then_some(())
            });
        }
        Self { servers }
    }

    /// The three servers.
    pub fn servers(&self) -> &[RunningRedis] {
        &self.servers
    }

    /// The place in [`RedisCluster::servers`] of the one that `channel` belongs to.
    pub fn home_of(&self, channel: &str) -> usize {
        let Reply::Number(slot) = self.servers[0].must(&["CLUSTER", "KEYSLOT", channel]) else {
            panic!("a slot is a number");
        };
        usize::try_from(slot / 5461)
            .expect("a slot is positive")
            .min(2)
    }

    /// Gives the slot of `channel` to the server at this place.
    pub fn move_slot(&self, channel: &str, to: usize) {
        let Reply::Number(slot) = self.servers[0].must(&["CLUSTER", "KEYSLOT", channel]) else {
            panic!("a slot is a number");
        };
        let slot = slot.to_string();
        let id = self.servers[to].must(&["CLUSTER", "MYID"]);
        let from = self.home_of(channel);
        let old = self.servers[from].must(&["CLUSTER", "MYID"]);
        self.servers[to].must(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", old.text()]);
        self.servers[from].must(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", id.text()]);
        // The new owner first, so that its word is the newer one.
        for index in [to].into_iter().chain((0..3).filter(|&index| index != to)) {
            self.servers[index].must(&["CLUSTER", "SETSLOT", &slot, "NODE", id.text()]);
        }
    }
}
