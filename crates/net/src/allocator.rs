//! Memory that is free, given back to the operating system.
//!
//! The allocator of glibc keeps what is freed for later, in each of its arenas: after 15,000 streams have gone, 508 MB of the 510 that
//! they took are still the process's, and 9 once it was asked for them. Who watches how much memory there is asks before he refuses
//! anybody for want of it.
#![allow(unsafe_code)]

/// Gives back what is free, where the allocator can be asked to. It takes up to a second for each gigabyte, in which threads wait
/// that allocate.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` may be called at any time from any thread: it takes the locks of the arenas, one by one, and changes
    // nothing of what is allocated. The number is how much is to be left at the top of the heap.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_in_use_stays_as_it_is() {
        let threads = (0..4_u8).map(|thread| {
            std::thread::spawn(move || {
                for size in 0..500 {
                    let block = vec![thread; size * 100];
                    if size % 100 == 0 {
                        super::give_back();
                    }
                    assert!(block.iter().all(|byte| *byte == thread));
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
    }
}
