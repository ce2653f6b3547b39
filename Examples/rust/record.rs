//! Records the board for some seconds and prints the mean power of each rail, through Rust's own FFI.
//!   rustc --edition 2021 -O record.rs $(pkg-config --libs-only-L fastnvmetrics)
//!   ./record run.bin 2
use std::os::{raw::{c_char, c_void}, unix::ffi::OsStringExt};
use std::{env, ffi::CStr, ffi::CString, process, ptr, slice, thread, time::Duration};

#[repr(C, packed)]
struct MediumSample {
    time_s: f64,
    voltage_mv: [u32; 8],
    current_ma: [u32; 8],
    power_mw: [f32; 8], // NaN: the read failed
}

#[link(name = "fastnvmetrics")]
extern "C" {
    fn fnvm_last_error_message() -> *const c_char;
    fn fnvm_board_detect(root: *const c_char, out: *mut *mut c_void) -> i32;
    fn fnvm_board_named(name: *const c_char, root: *const c_char, out: *mut *mut c_void) -> i32;
    fn fnvm_board_num_power_rails(board: *const c_void) -> u32;
    fn fnvm_board_rail_label(board: *const c_void, rail: u32) -> *const c_char;
    fn fnvm_board_rail_in_total(board: *const c_void, rail: u32) -> i32;
    fn fnvm_engine_create(path: *const c_char, board: *const c_void, options: *const c_void, out: *mut *mut c_void) -> i32;
    fn fnvm_engine_start(engine: *mut c_void) -> i32;
    fn fnvm_engine_stop(engine: *mut c_void) -> i32;
    fn fnvm_trace_open(path: *const c_char, out: *mut *mut c_void) -> i32;
    fn fnvm_trace_medium(trace: *const c_void, count: *mut u64) -> *const MediumSample;
}

fn must(status: i32) {
    if status == 0 { return } // FNVM_OK; failures are negative
    eprintln!("record: {}", unsafe { CStr::from_ptr(fnvm_last_error_message()) }.to_string_lossy());
    process::exit(1)
}

fn main() {
    let path = CString::new(env::args_os().nth(1).unwrap_or("run.bin".into()).into_vec()).unwrap();
    let seconds = env::args_os().nth(2).map_or(Some(1.0), |s| s.to_str()?.parse().ok()).filter(|&s| s >= 0.0);
    let seconds: f64 = seconds.unwrap_or_else(|| { eprintln!("usage: record [TRACE [SECONDS]]"); process::exit(2) });
    let (mut board, mut engine, mut trace, mut count) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0);
    unsafe { // handles live until the program ends: it needs each of them once
        if fnvm_board_detect(ptr::null(), &mut board) != 0 {
            must(fnvm_board_named("generic_linux\0".as_ptr().cast(), ptr::null(), &mut board)); // no Jetson
        }
        must(fnvm_engine_create(path.as_ptr(), board, ptr::null(), &mut engine));
        must(fnvm_engine_start(engine));
        thread::sleep(Duration::from_secs_f64(seconds));
        must(fnvm_engine_stop(engine));
        must(fnvm_trace_open(path.as_ptr(), &mut trace));
        let samples = slice::from_raw_parts(fnvm_trace_medium(trace, &mut count), count as usize);
        println!("{} samples, {:.3} s", samples.len(), samples.last().map_or(0.0, |s| s.time_s));
        for rail in 0..fnvm_board_num_power_rails(board) {
            let known: Vec<f32> = samples.iter().map(|s| s.power_mw[rail as usize]).filter(|mw| !mw.is_nan()).collect();
            let label = CStr::from_ptr(fnvm_board_rail_label(board, rail)).to_string_lossy();
            let total = ["", "  in the total"][fnvm_board_rail_in_total(board, rail) as usize];
            println!("{label:<20} {:7.3} W{total}", known.iter().sum::<f32>() / known.len() as f32 / 1000.0);
        }
    }
}
