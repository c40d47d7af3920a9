//! What the kernel says of its clock: `adjtimex(2)`, for which no library here has a safe call.

use std::mem::MaybeUninit;

use nix::errno::Errno;

/// How well the kernel's clock is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelClock {
    /// The error that the clock has at most; it grows from the last synchronisation on.
    pub(crate) max_error_seconds: f64,
    /// The error that the time service expects.
    pub(crate) estimated_error_seconds: f64,
}

/// Asks the kernel, and changes nothing.
#[allow(unsafe_code, reason = "adjtimex(2) has no safe call in std, nix or rustix")]
pub(crate) fn read() -> nix::Result<KernelClock> {
    let mut clock = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: `timex` is plain integers, for which all zeroes are a value; with `modes` at zero the
    // kernel reads nothing else, writes within the structure, and changes no clock.
    let clock = unsafe {
        Errno::result(libc::adjtimex(clock.as_mut_ptr()))?;
        clock.assume_init()
    };
    const MICROSECOND: f64 = 1e-6;
    Ok(KernelClock {
        max_error_seconds: clock.maxerror as f64 * MICROSECOND,
        estimated_error_seconds: clock.esterror as f64 * MICROSECOND,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_answers() {
        let clock = super::read().unwrap();
        assert!(clock.max_error_seconds >= 0.0 && clock.estimated_error_seconds >= 0.0);
    }
}
