//! What Linux says of a process. Knows nothing of what it does.

use std::{fs, time::Duration};

/// Processor time of a process so far, of the user and of the system, all threads: `utime + stime`, but in nanoseconds
/// where `/proc/PID/stat` has hundredths of a second.
pub(crate) fn processor_time(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process is running");
    let nanoseconds = threads.map(|thread| {
        let path = thread.expect("the directory can be read").path().join("schedstat");
        let stat = fs::read_to_string(path).expect("Linux tells schedstat");
        stat.split(' ').next().and_then(|time| time.parse::<u64>().ok()).expect("it begins with the time")
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Resident memory, bytes.
pub(crate) fn resident_memory(process: u32) -> usize {
    status(process, "VmRSS:")
}

fn status(process: u32, what: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is running");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("it is in kB") * 1024
}

/// The processes that this one has started.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.expect("the process is running");
    children.split_whitespace().map(|child| child.parse().expect("a process has a number")).collect()
}
