//! nchan, nginx's publish-and-subscribe module, from Debian's packages: one worker, one channel, its own folder.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Where Debian's package puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const NGINX: &str = "/usr/sbin/nginx";

/// The server's own files, removed with it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Left-over files in the system's temporary folder are no reason to fail.
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether it is installed.
pub fn is_here() -> bool {
    Path::new(MODULE).exists() && Path::new(NGINX).exists()
}

/// What starts it, where it will listen, and its files.
pub fn prepare() -> io::Result<(Command, SocketAddr, Folder)> {
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let name = format!("autovia-nchan-{}-{}", std::process::id(), address.port());
    let folder = Folder(env::temp_dir().join(name));
    fs::create_dir_all(&folder.0)?;
    let file = folder.0.join("nginx.conf");
    fs::write(&file, configuration(&folder.0, address))?;
    // nginx would outlive a bench that is killed: the kernel ends it then.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", NGINX, "-p"])
        .arg(&folder.0)
        .arg("-c")
        .arg(&file);
    Ok((command, address, folder))
}

fn configuration(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "load_module {MODULE};\n\
         daemon off; master_process off; pid {folder}/pid; error_log stderr error;\n\
         events {{ worker_connections 18000; use epoll; }}\n\
         http {{\n{paths}\
         access_log off; tcp_nodelay on; keepalive_requests 10000000; keepalive_timeout 600s;\n\
         nchan_shared_memory_size 128M;\n\
         server {{ listen {address} backlog=1024;\n\
         location = /sse {{ nchan_subscriber eventsource; nchan_channel_id one; \
         nchan_subscriber_first_message newest; }}\n\
         location = /tick {{ nchan_publisher; nchan_channel_id one; nchan_message_buffer_length 8; }}\n}} }}\n"
    )
}
