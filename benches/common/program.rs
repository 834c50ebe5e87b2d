//! A program that is measured: how it is started, and what Linux says of its memory. Knows nothing of what it does.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// Starts a program that prints its address, and waits for that: the process and its port.
pub(crate) fn start(command: &mut Command) -> (Child, u16) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program can be run");
    let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let port = lines.map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("listening on http://127.0.0.1:")?;
        Some(port.trim_end_matches('/').parse().expect("the line ends with the port"))
    });
    (child, port.expect("the program says where it listens"))
}

/// What `/proc/PID/status` has in this line, bytes: `VmRSS` is resident memory, `VmHWM` the most it ever was.
pub(crate) fn memory(process: u32, line: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is running");
    let value = status.lines().find_map(|status| status.strip_prefix(line)?.strip_prefix(':'));
    let kilobytes = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kilobytes.expect("Linux tells it in kB") * 1024
}
