//! What Linux says of a process and its time. Knows nothing of what it does.

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

/// The processes that this one has started.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.expect("the process is running");
    children.split_whitespace().map(|child| child.parse().expect("a process has a number")).collect()
}
