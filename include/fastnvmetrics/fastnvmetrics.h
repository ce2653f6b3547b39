/** @file fastnvmetrics.h
 *  fastnvmetrics: a profiler for NVIDIA Jetson Orin boards, as a C library.
 *
 *  An engine samples the board in three tiers, each on a thread of its own:
 *
 *    fast    1000 Hz  GPU load, utilisation of each CPU core, RAM, memory controller (EMC)
 *    medium   100 Hz  voltage, current and power of each power rail
 *    slow      10 Hz  temperature of each thermal zone
 *
 *  and writes them into a trace file of format version 1 (docs/trace-format.md).
 *
 *  This header is the manual, in the order of a first use: versions · errors · boards, what there is to sample ·
 *  doctor, why something is missing · records, what a trace is made of · engine, which records · traces, which are
 *  read. Examples/c has a whole program.
 *
 *      fnvm_engine *engine = NULL;
 *      if (fnvm_engine_create("run.bin", NULL, NULL, &engine) != FNVM_OK ||
 *          fnvm_engine_start(engine) != FNVM_OK ||
 *          fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT) != FNVM_OK) {
 *        fprintf(stderr, "%s\n", fnvm_last_error_message());
 *        return 1;
 *      }
 *      work();
 *      fnvm_engine_stop(engine);
 *      fnvm_engine_free(engine);
 *
 *  Conventions, true of every function unless it says otherwise:
 *
 *  - A function that can fail returns an fnvm_status: FNVM_OK (0) or a negative FNVM_E_ code. The
 *    text of the failure is fnvm_last_error_message(), kept per thread.
 *  - Out parameters are written on success only; on failure a handle is set to NULL.
 *  - Strings passed in are NUL-terminated and copied. Paths are bytes, never interpreted as text;
 *    labels and names are UTF-8, and bytes that are not are replaced by U+FFFD.
 *  - Strings returned are borrowed from their handle: never free them.
 *  - A NULL handle, a NULL out parameter or a wrong struct_size is FNVM_E_INVALID, never a crash.
 *    Using a handle after it was freed is the caller's fault.
 *  - A function may be called from any thread, and does not block. What a handle allows several threads at once
 *    stands at its type.
 *  - Nothing here installs signal handlers, changes the signal mask of the caller's threads, writes
 *    to the standard streams or reads the environment, FASTNVMETRICS_ROOT (see Boards) excepted.
 */
#ifndef FASTNVMETRICS_FASTNVMETRICS_H
#define FASTNVMETRICS_FASTNVMETRICS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FNVM_API __attribute__((visibility("default")))
#else
#define FNVM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Versions ================================================================================ */

/** The version of this header. */
#define FNVM_VERSION_MAJOR 0
#define FNVM_VERSION_MINOR 3
#define FNVM_VERSION_PATCH 0

/** The version of the binary interface, which is the number in libfastnvmetrics.so.N: a program runs with every
 *  later library of the ABI version that it was compiled for. Within one:
 *
 *  - Functions are only added, and what one promises here stays true. A new kind of failure can get a new code:
 *    treat every negative status as a failure.
 *  - Values of codes and constants are never changed or reused.
 *  - Structs that begin with struct_size only grow, at their end. Initialise them with their FNVM_…_INIT, which sets
 *    it. A library accepts every size since the first: what an older program does not know has its default in
 *    options, and is not written in results. Of a newer program, results are filled as far as the library knows
 *    them, and options are refused (FNVM_E_INVALID): they might ask for what it cannot do.
 *  - The packed structs of a trace have no size in them and never change: they are the file format's, whose version
 *    is FNVM_TRACE_VERSION. Traces of every version of fastnvmetrics open.
 *
 *  A program that loads the library by itself (dlopen, FFI) compares fnvm_abi_version() first. */
#define FNVM_ABI_VERSION 0

/** @return the version of the library in use: major << 16 | minor << 8 | patch. */
FNVM_API uint32_t fnvm_version(void);

/** @return the version of the library in use as text, such as "0.3.0"; static. */
FNVM_API const char *fnvm_version_string(void);

/** @return FNVM_ABI_VERSION of the library in use. */
FNVM_API uint32_t fnvm_abi_version(void);

/* ==== Errors ================================================================================== */

/* A code says what kind of failure it was and is for programs; the message says the rest and is for people. Both
 * are of the thread that made the call: ask on that thread, before its next call.
 *
 *     if (fnvm_engine_start(engine) != FNVM_OK) {
 *       fprintf(stderr, "%s\n", fnvm_last_error_message());
 *       return fnvm_last_error_errno() == EBUSY ? 2 : 1;
 *     }
 *
 * Nodes that cannot be read are no failures: their values are missing in the trace, and counted. */

/** The result of a call: FNVM_OK or one of the negative codes below. */
typedef int32_t fnvm_status;

#define FNVM_OK 0               /**< success */
#define FNVM_E_INVALID (-1)     /**< an argument is NULL, out of range or malformed */
#define FNVM_E_NO_BOARD (-2)    /**< this machine is not a board that is known: "generic_linux" works on any */
#define FNVM_E_UNKNOWN_BOARD (-3) /**< no board of that name in the catalogue: fnvm_board_named has the names */
#define FNVM_E_ALREADY_RUNNING (-4) /**< the engine is recording already */
#define FNVM_E_NOT_RUNNING (-5) /**< the engine is not recording */
#define FNVM_E_IO (-6)          /**< a file operation failed: fnvm_last_error_errno() and _path() say which */
#define FNVM_E_NO_MEMORY (-7)   /**< memory could not be had */
#define FNVM_E_THREAD (-8)      /**< a thread could not be created: fnvm_last_error_errno() */
#define FNVM_E_FORMAT (-9)      /**< the file is not a valid trace */
#define FNVM_E_UNFINISHED (-10) /**< the trace was not closed: fnvm_trace_recover() completes it */
#define FNVM_E_TIMEOUT (-11)    /**< the time given ran out */
#define FNVM_E_FORKED (-12)     /**< called in a forked child on an engine that its parent started */

/** @return the name of a code, such as "FNVM_E_IO"; "FNVM_E_?" for a number that is none. Static. */
FNVM_API const char *fnvm_status_name(fnvm_status status);

/** @return what went wrong in the last call on this thread that failed: what was attempted, on which
 *  path, errno in words and what to do. UTF-8, never NULL, "" before the first failure. Valid until
 *  the next call on this thread. */
FNVM_API const char *fnvm_last_error_message(void);

/** @return the errno of that failure, or 0 where no system call was at fault. A call that succeeds changes none of
 *  the three. */
FNVM_API int fnvm_last_error_errno(void);

/** @return the path of that failure, in the bytes of the file system (the first 4095); "" where none was
 *  at fault. Valid until the next call on this thread. */
FNVM_API const char *fnvm_last_error_path(void);

/* ==== Boards ================================================================================== */

/* What a trace has columns for. */
#define FNVM_MAX_CPU_CORES 16
#define FNVM_MAX_POWER_RAILS 8
#define FNVM_MAX_THERMAL_ZONES 16

/** A description of a board: which files to sample, and under which names.
 *
 *  The root is a directory put before /proc, /sys and /etc: the host's tree mounted in a container,
 *  a simulated board, a fixture. Where a function takes one, NULL or "" stands for the environment
 *  variable FASTNVMETRICS_ROOT, and where that is unset or empty, for the machine itself; "/" is the
 *  machine itself whatever the variable says.
 *
 *  Three ways to have one: fnvm_board_detect for a Jetson, fnvm_board_named("generic_linux", …) for any machine,
 *  fnvm_board_create and the functions that set its parts for files of your own.
 *
 *  Ownership: fnvm_board_detect, _named, _create and _copy create a board, fnvm_board_free frees
 *  it. An engine copies the board it is given. Thread-safety: one thread at a time may change a
 *  board; any number may read one that nobody changes. No function here but _detect and _named
 *  touches a file. */
typedef struct fnvm_board fnvm_board;

/** Finds the board this program runs on, and which of its nodes can be read. Blocks for file accesses:
 *  milliseconds. A board that is recognised but of which nothing can be read is still a board: fnvm_doctor_examine
 *  says why.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_NO_BOARD (the message lists the compatible strings
 *  found). */
FNVM_API fnvm_status fnvm_board_detect(const char *root, fnvm_board **out);

/** The board of that name: "agx_orin", "orin_nx", "orin_nano" with nominal paths, whether they exist or
 *  not, or "generic_linux" with what this machine has. Blocks as fnvm_board_detect does.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_UNKNOWN_BOARD. */
FNVM_API fnvm_status fnvm_board_named(const char *name, const char *root, fnvm_board **out);

/** An empty board of your own, with no node to read but /proc/stat and /proc/meminfo.
 *  @param name up to 31 bytes reach the trace.
 *  @param num_cpu_cores 1 to FNVM_MAX_CPU_CORES.
 *  @return FNVM_OK, FNVM_E_INVALID. */
FNVM_API fnvm_status fnvm_board_create(const char *name, int32_t num_cpu_cores, const char *root,
                                       fnvm_board **out);

/** A copy, with the same right to be probed again (fnvm_board_is_detected).
 *  @return FNVM_OK, FNVM_E_INVALID. */
FNVM_API fnvm_status fnvm_board_copy(const fnvm_board *board, fnvm_board **out);

/** Frees a board, and with it every string that was borrowed from it. NULL is allowed. */
FNVM_API void fnvm_board_free(fnvm_board *board);

/** Sets the path of the GPU's load, per mille; complete with the root, opened as it is. "" or NULL: not available.
 *  @return FNVM_OK, FNVM_E_INVALID. */
FNVM_API fnvm_status fnvm_board_set_gpu_load_path(fnvm_board *board, const char *path);
/** As above: active EMC clocks in kHz (mc_all). */
FNVM_API fnvm_status fnvm_board_set_emc_actmon_path(fnvm_board *board, const char *path);
/** As above: the EMC clock in Hz. */
FNVM_API fnvm_status fnvm_board_set_emc_clk_rate_path(fnvm_board *board, const char *path);

/** Appends a power rail; up to 23 bytes of its label reach the trace. None of the strings may be NULL.
 *  @param voltage_path a file with millivolts. @param current_path a file with milliamperes.
 *  @return FNVM_OK, FNVM_E_INVALID (also: FNVM_MAX_POWER_RAILS are there already). */
FNVM_API fnvm_status fnvm_board_add_power_rail(fnvm_board *board, const char *label,
                                               const char *voltage_path, const char *current_path);

/** Appends a thermal zone; up to 23 bytes of its name reach the trace. Neither string may be NULL.
 *  @param temp_path a file with millidegrees Celsius.
 *  @return FNVM_OK, FNVM_E_INVALID (also: FNVM_MAX_THERMAL_ZONES are there already). */
FNVM_API fnvm_status fnvm_board_add_thermal_zone(fnvm_board *board, const char *name,
                                                 const char *temp_path);

/** Whether paths that are empty are looked for again, at fnvm_engine_start and at most once a second
 *  after it: 1 for a board from fnvm_board_detect, 0 for one that the caller described.
 *  @return 0 for NULL. */
FNVM_API int fnvm_board_is_detected(const fnvm_board *board);
/** Sets that. @return FNVM_OK, FNVM_E_INVALID. */
FNVM_API fnvm_status fnvm_board_set_detected(fnvm_board *board, int detected);

/** The parts of a board. Strings are borrowed until the board is next changed or freed; they are "" (and
 *  counts 0) for a NULL board or an index out of range. An empty path: not available. Rails and zones are in the
 *  order of the columns of a trace. */
FNVM_API const char *fnvm_board_name(const fnvm_board *board);
FNVM_API const char *fnvm_board_root(const fnvm_board *board);
FNVM_API int32_t fnvm_board_num_cpu_cores(const fnvm_board *board);
FNVM_API const char *fnvm_board_gpu_load_path(const fnvm_board *board);
FNVM_API const char *fnvm_board_emc_actmon_path(const fnvm_board *board);
FNVM_API const char *fnvm_board_emc_clk_rate_path(const fnvm_board *board);
FNVM_API uint32_t fnvm_board_num_power_rails(const fnvm_board *board);
FNVM_API const char *fnvm_board_rail_label(const fnvm_board *board, uint32_t rail);
FNVM_API const char *fnvm_board_rail_voltage_path(const fnvm_board *board, uint32_t rail);
FNVM_API const char *fnvm_board_rail_current_path(const fnvm_board *board, uint32_t rail);
/** Whether a rail belongs to the total: the power of the module is the sum of these rails, and not of all, because
 *  some measure a part of what another one measures.
 *
 *      double total_mw = 0;
 *      int is_known = 0;
 *      for (uint32_t rail = 0; rail < fnvm_board_num_power_rails(board); rail++)
 *        if (fnvm_board_rail_in_total(board, rail)) {
 *          total_mw += sample.power_mw[rail];  // NaN where that read failed
 *          is_known = 1;
 *        }
 *
 *  @return 1 where it does; 0 for every rail of a board where that is not known: one that is not in the catalogue,
 *  or lacks a rail of the total. */
FNVM_API int fnvm_board_rail_in_total(const fnvm_board *board, uint32_t rail);
FNVM_API uint32_t fnvm_board_num_thermal_zones(const fnvm_board *board);
FNVM_API const char *fnvm_board_zone_name(const fnvm_board *board, uint32_t zone);
FNVM_API const char *fnvm_board_zone_temp_path(const fnvm_board *board, uint32_t zone);

/* ==== Doctor ================================================================================== */

/* Why a column is empty: the node may not exist on this board, may be for root only, may be powered down.
 *
 *     fnvm_doctor *doctor = NULL;
 *     if (fnvm_doctor_examine(NULL, NULL, &doctor) != FNVM_OK) return fail();
 *     for (uint32_t i = 0; i < fnvm_doctor_count(doctor); i++) {
 *       fnvm_node_report node = FNVM_NODE_REPORT_INIT;
 *       if (fnvm_doctor_report(doctor, i, &node) == FNVM_OK && *node.advice)
 *         printf("%s: %s\n", node.name, node.advice);
 *     }
 *     fnvm_doctor_free(doctor);
 */

/** What is known of one node of a board: whether it can be read, and if not, why and what to do. */
typedef struct fnvm_node_report {
  uint32_t struct_size; /**< sizeof(fnvm_node_report) */
  uint32_t kind;        /**< FNVM_NODE_… */
  uint32_t state;       /**< FNVM_NODE_IS_… */
  int32_t error_number; /**< errno of the failed read, 0: none */
  int64_t value;        /**< what it says now, in `unit` */
  uint64_t read_ns;     /**< what a read costs, in nanoseconds; 0: not read */
  double refresh_ms;    /**< how often the sensor measures, in milliseconds; 0: not known */
  const char *name;     /**< the rail's label, the zone's type, "load", "mc_all" … */
  const char *path;     /**< where it is, or where it was looked for first */
  const char *unit;     /**< the unit of `value`, "": none */
  const char *advice;   /**< what follows for a recording and what to do, "": all is well */
} fnvm_node_report;

#define FNVM_NODE_REPORT_INIT { (uint32_t)sizeof(fnvm_node_report), 0u, 0u, 0, 0, 0u, 0.0, NULL, NULL, NULL, NULL }

#define FNVM_NODE_BOARD 0u
#define FNVM_NODE_GPU 1u
#define FNVM_NODE_CPU 2u
#define FNVM_NODE_MEMORY 3u
#define FNVM_NODE_EMC 4u
#define FNVM_NODE_RAIL 5u
#define FNVM_NODE_ZONE 6u

#define FNVM_NODE_IS_GOOD 0u         /**< found and read */
#define FNVM_NODE_IS_ABSENT 1u       /**< not there */
#define FNVM_NODE_IS_FORBIDDEN 2u    /**< there, and this process may not read it */
#define FNVM_NODE_IS_FAILING 3u      /**< there, and the read failed */
#define FNVM_NODE_IS_POWERED_DOWN 4u /**< a zone or GPU that is off at this moment */
#define FNVM_NODE_IS_LEFT_OUT 5u     /**< there, and beyond what a trace can hold */

/** The findings of an examination. Any number of threads may read one. */
typedef struct fnvm_doctor fnvm_doctor;

/** Reads every node of a board a few times. Blocks: some 100 ms on a board.
 *  @param board a name, as for fnvm_board_named, or NULL: the board that is detected, else what the machine has.
 *  @param root as at fnvm_board.
 *  @param out receives the findings, to be freed with fnvm_doctor_free.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_UNKNOWN_BOARD. */
FNVM_API fnvm_status fnvm_doctor_examine(const char *board, const char *root, fnvm_doctor **out);

/** Frees them, and every string in their reports. NULL is allowed. */
FNVM_API void fnvm_doctor_free(fnvm_doctor *doctor);

/** @return how many reports there are: the board first, then its nodes in the order of a trace; 0 for
 *  NULL. */
FNVM_API uint32_t fnvm_doctor_count(const fnvm_doctor *doctor);

/** Fills in a report; its strings are borrowed from the doctor.
 *  @param report set struct_size before the call.
 *  @return FNVM_OK, FNVM_E_INVALID (also: index past the last). */
FNVM_API fnvm_status fnvm_doctor_report(const fnvm_doctor *doctor, uint32_t index,
                                        fnvm_node_report *report);

/** Sentences for the user. Any number of threads may read them. */
typedef struct fnvm_notices fnvm_notices;

/** Puts back the settings of INA3221 power sensors (rail_update_interval_ms, rail_samples) that recorders which
 *  crashed left behind. Those of a recorder that is running are left alone, and so is a sensor that somebody
 *  else has set meanwhile. Blocks for milliseconds; up to 2 s where a recorder is just setting them.
 *  @param root as at fnvm_board.
 *  @param out receives what was done, a sentence for each sensor; none where there was nothing to do. To be freed
 *  with fnvm_notices_free.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_IO (something could not be put back, such as EACCES without root;
 *  the message says all that was done and was not). */
FNVM_API fnvm_status fnvm_sensors_restore(const char *root, fnvm_notices **out);

/** @return a sentence, borrowed until the notices are freed; NULL where index is past the last, and for NULL. */
FNVM_API const char *fnvm_notices_text(const fnvm_notices *notices, uint32_t index);

/** Frees them. NULL is allowed. */
FNVM_API void fnvm_notices_free(fnvm_notices *notices);

/* ==== Records ================================================================================= */

/* What a trace is made of, and what fnvm_engine_snapshot shows of one that is being recorded: plain structs without
 * gaps. They never change (see FNVM_ABI_VERSION), so other languages may declare them once.
 *
 * - Times are in seconds since t = 0, which is when fnvm_engine_start took its first readings; start_monotonic_ns of
 *   the header says when that was, for a program that has times of its own.
 * - A value that is not known is NaN, or -1 in emc_util; integers then hold the last one that was,
 *   0 before the first; FNVM_FLAG_GPU_AVAILABLE tells whether gpu_load was ever known.
 * - Slots beyond the board's cores, rails and zones are 0.
 * - Fields may be misaligned: compilers know that of these structs, but a pointer to a field does not. Copy it. */

#define FNVM_TRACE_MAGIC 0x4E564D54u
#define FNVM_TRACE_VERSION 1u

#define FNVM_FLAG_VALID 1u         /**< the fields from flags on are filled */
#define FNVM_FLAG_CLOSED 2u        /**< closed cleanly */
#define FNVM_FLAG_RECOVERED 4u     /**< completed by fnvm_trace_recover after a crash */
#define FNVM_FLAG_GPU_AVAILABLE 8u /**< gpu_load was measured */

#pragma pack(push, 1)

/** The first 728 bytes of a trace; little-endian. */
typedef struct fnvm_file_header {
  uint32_t magic;   /**< FNVM_TRACE_MAGIC */
  uint32_t version; /**< FNVM_TRACE_VERSION */
  char board_name[32]; /**< NUL-terminated, as are the names below */
  uint8_t num_cpu_cores, num_power_rails, num_thermal_zones;
  uint8_t emc_available; /**< 1: emc_util is measured, 0: it is -1 */
  uint32_t fast_hz, medium_hz, slow_hz; /**< the rates asked for */
  uint64_t num_fast_samples, num_medium_samples, num_slow_samples, num_sync_points;
  char power_rail_names[FNVM_MAX_POWER_RAILS][24];
  char thermal_zone_names[FNVM_MAX_THERMAL_ZONES][24];
  uint32_t flags; /**< FNVM_FLAG_…; from here on all zero in traces of the C++ reference */
  uint32_t missed_fast, missed_medium, missed_slow; /**< saturated at UINT32_MAX */
  uint64_t start_monotonic_ns; /**< CLOCK_MONOTONIC at t = 0 */
  uint64_t start_realtime_ns;  /**< CLOCK_REALTIME at t = 0 */
  uint64_t chunks_offset;      /**< 0: none */
  uint32_t dropped_samples, read_errors; /**< saturated at UINT32_MAX */
  uint32_t writer_version;     /**< major << 16 | minor << 8 | patch */
  uint8_t reserved[12];
} fnvm_file_header;

/** GPU, CPU cores, memory, memory controller. */
typedef struct fnvm_fast_sample {
  double time_s;                      /**< since t = 0, taken at the read */
  uint16_t gpu_load;                  /**< per mille, 0 to 1000 */
  float cpu_util[FNVM_MAX_CPU_CORES]; /**< %, NaN: offline */
  float cpu_aggregate;                /**< %, mean of the online cores */
  uint64_t ram_used_kb;               /**< MemTotal - MemAvailable */
  uint64_t ram_available_kb;
  float emc_util;                     /**< %, -1: not available */
} fnvm_fast_sample;

/** The power rails, in the order of the header's names. */
typedef struct fnvm_medium_sample {
  double time_s;
  uint32_t voltage_mv[FNVM_MAX_POWER_RAILS], current_ma[FNVM_MAX_POWER_RAILS];
  float power_mw[FNVM_MAX_POWER_RAILS]; /**< NaN: read failed; voltage and current are older */
} fnvm_medium_sample;

/** The thermal zones, in the order of the header's names. */
typedef struct fnvm_slow_sample {
  double time_s;
  float temp_c[FNVM_MAX_THERMAL_ZONES]; /**< NaN: read failed, or powered down */
} fnvm_slow_sample;

/** A mark of fnvm_engine_sync. */
typedef struct fnvm_sync_point {
  uint64_t sync_id;         /**< 1, 2, 3, … */
  uint64_t fast_sample_idx; /**< the first fast sample after the mark */
} fnvm_sync_point;

#pragma pack(pop)

/* ==== Engine ================================================================================== */

/* Create, start, mark what happens, stop, free. An engine can be started again after each stop.
 *
 * What a program is at can be marked in two ways. A sync point is an instant: a boundary between what was before and
 * what comes after. A phase has a beginning, an end and a name, and phases can be inside of each other:
 *
 *     uint64_t phase;
 *     if (fnvm_engine_phase_begin(engine, "prefill", &phase) != FNVM_OK) return fail();
 *     prefill();
 *     if (fnvm_engine_phase_end(engine, phase) != FNVM_OK) return fail();
 */

#define FNVM_MIN_RATE_HZ 1
#define FNVM_MAX_RATE_HZ 20000
#define FNVM_NO_TIMEOUT UINT64_MAX

/** How to record. Initialise with FNVM_OPTIONS_INIT, then change what you like: fields that later
 *  versions append then have their defaults. */
typedef struct fnvm_options {
  uint32_t struct_size; /**< sizeof(fnvm_options); one that this version does not know is FNVM_E_INVALID */
  uint32_t fast_hz;     /**< 1 to 20000; GPU, CPU, RAM, EMC */
  uint32_t medium_hz;   /**< 1 to 20000; power rails */
  uint32_t slow_hz;     /**< 1 to 20000; thermal zones */
  uint32_t flush_interval_ms; /**< how often the disk is made to keep what was written (fdatasync): a power
                               *  cut loses at most this and a quarter of a second; 0: only at the end.
                               *  A crash of the program loses at most a quarter of a second either way */
  /* How often each source is read inside its tier, at most 20000 Hz; 0: at every tick, unless native_rates
   * says otherwise. Between reads a column holds exactly what was read last. */
  uint32_t gpu_hz;     /**< GPU load; one with `counters` is read at every tick unless this says otherwise */
  uint32_t ram_hz;     /**< RAM */
  uint32_t emc_hz;     /**< memory controller */
  uint32_t voltage_hz; /**< voltage of the power rails */
  uint32_t current_hz; /**< current of the power rails */
  uint32_t thermal_hz; /**< thermal zones */
  int32_t native_rates; /**< 1: a source without a rate of its own is read no faster than its value can change
                         *  (GPU load 60 Hz, EMC 50 Hz, a power sensor's update_interval and voltage a tenth
                         *  as often, zones 10 Hz), and an idle GPU is left to sleep; 0: not;
                         *  -1: in tiers above 1 kHz */
  uint32_t realtime_priority; /**< SCHED_FIFO with this priority (1 to 99) for the threads that sample, rings
                               *  locked in memory; 0: not. A notice says where that is not permitted */
  int32_t cpu;                /**< the CPU that the threads that sample run on; -1: any */
  uint32_t write_stats;       /**< 1: the trace gets a STAT chunk, and a META chunk */
  uint32_t write_metadata;    /**< 1: the trace gets a META chunk; one with phases, labels or annotations has it
                               *  anyway */
  uint32_t rail_update_interval_ms; /**< set the INA3221 to measure this often while recording (root only), and
                                     *  put back what was there: at the stop, or after a crash by the next
                                     *  start or fnvm_sensors_restore. Notices say what was done; 0: leave it */
  uint32_t rail_samples; /**< likewise how many measurements it averages: 1, 4, 16, 64, 128, 256, 512, 1024 */
} fnvm_options;

#define FNVM_OPTIONS_INIT { (uint32_t)sizeof(fnvm_options), 1000u, 100u, 10u, 1000u, 0u, 0u, 0u, 0u, 0u, 0u, -1, 0u, -1, 0u, 0u, 0u, 0u }

#define FNVM_GPU_SOURCE_NONE 0u     /**< there is no node */
#define FNVM_GPU_SOURCE_LOAD 1u     /**< `load`, refreshed every 16.7 ms */
#define FNVM_GPU_SOURCE_COUNTERS 2u /**< `counters`, a utilisation for each interval */

/** How much an engine has recorded, and what it had to leave out. Set struct_size before the call. */
typedef struct fnvm_counts {
  uint32_t struct_size; /**< sizeof(fnvm_counts) */
  uint32_t gpu_source;  /**< FNVM_GPU_SOURCE_…: where GPU load comes from */
  uint64_t fast_samples, medium_samples, slow_samples, sync_points;
  uint64_t missed_fast, missed_medium, missed_slow; /**< deadlines skipped because the tier was late */
  uint64_t dropped_samples;   /**< lost because the disk could not keep up */
  uint64_t read_errors;       /**< failed reads of any source; a zone that is powered down is none */
  uint64_t negative_currents; /**< readings below zero, stored as 0 */
} fnvm_counts;

#define FNVM_COUNTS_INIT { (uint32_t)sizeof(fnvm_counts), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u }

/** A recorder with three sampling threads, "fnvm-fast", "fnvm-medium" and "fnvm-slow", one that writes,
 *  "fnvm-spool", one that has the disk keep it, "fnvm-flush", and one that looks for nodes that went away,
 *  "fnvm-keeper"; a source that can block has one of its own ("fnvm-gpu" and so on). All signals are blocked in
 *  them.
 *
 *  Thread-safety: every function may be called from any thread at any time, except
 *  fnvm_engine_free, which must be the last. After fork() an engine that the parent started answers
 *  FNVM_E_FORKED in the child and touches nothing; freeing it there is allowed and leaves the
 *  parent's trace alone. */
typedef struct fnvm_engine fnvm_engine;

/** Prepares an engine. Nothing is written before fnvm_engine_start. Blocks only to detect a board.
 *  @param output_path where the trace goes. A relative one is taken at fnvm_engine_start.
 *  @param board copied. NULL: fnvm_board_detect(NULL, …).
 *  @param options copied. NULL: FNVM_OPTIONS_INIT.
 *  @param out receives the engine, to be freed with fnvm_engine_free.
 *  @return FNVM_OK, FNVM_E_INVALID (also: a rate outside 1 to 20000, an empty path),
 *  FNVM_E_NO_BOARD (only where board is NULL). */
FNVM_API fnvm_status fnvm_engine_create(const char *output_path, const fnvm_board *board,
                                        const fnvm_options *options, fnvm_engine **out);

/** Stops the engine where it runs, and frees it; blocks as fnvm_engine_stop does. NULL is allowed. A failure to
 *  complete the trace goes unheard here: call fnvm_engine_stop first where that matters. The last call: no other
 *  thread may be inside of one. */
FNVM_API void fnvm_engine_free(fnvm_engine *engine);

/** Creates the trace and starts the tiers. Blocks while files are created and the nodes are opened:
 *  milliseconds. After a stop it records anew, to the same path (that of the last fnvm_engine_rotate); counts and ids begin again. A
 *  complete trace at the path is replaced, a crashed one is set aside (fnvm_engine_notice tells
 *  where).
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_ALREADY_RUNNING, FNVM_E_IO (EBUSY: another recorder
 *  writes there), FNVM_E_THREAD, FNVM_E_NO_MEMORY, FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_start(fnvm_engine *engine);

/** Takes the closing sample, joins the threads and completes the trace. Blocks until sleeping tiers are
 *  woken, reads in progress have ended and the tail is written: milliseconds. A read that hangs in a driver is
 *  not waited for: its thread and descriptors go when it ends. Harmless where the
 *  engine does not run.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_IO (after everything that can be saved is),
 *  FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_stop(fnvm_engine *engine);

/** Waits until ten fast samples exist: about 10 ms after the start.
 *  @param timeout_ns nanoseconds, or FNVM_NO_TIMEOUT.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_NOT_RUNNING (also: stopped while waiting),
 *  FNVM_E_TIMEOUT, FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_wait_for_warmup(fnvm_engine *engine, uint64_t timeout_ns);

/** Marks a phase boundary: the next fast sample to be taken is the first one of the new phase. Every mark
 *  is followed by at least one fast sample, also when stop follows at once. Does not block but for
 *  other callers of the same function, and for 100 ms where thousands of marks wait for the disk already; where
 *  that does not help, the mark is refused (FNVM_E_IO, EAGAIN).
 *  @param id NULL, or receives 1, 2, 3, …
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_NOT_RUNNING, FNVM_E_IO, FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_sync(fnvm_engine *engine, uint64_t *id);

/** How many bytes of the name of a phase or of a label reach the trace. */
#define FNVM_MAX_NAME_BYTES 87

/** fnvm_engine_sync with a label for the mark, which fnvm_trace_sync_label reads.
 *  @param label UTF-8, cut between characters to FNVM_MAX_NAME_BYTES bytes.
 *  @param id NULL, or receives 1, 2, 3, …
 *  @return as fnvm_engine_sync; FNVM_E_INVALID also where label is NULL or empty. */
FNVM_API fnvm_status fnvm_engine_sync_labelled(fnvm_engine *engine, const char *label, uint64_t *id);

/** Begins a phase: a stretch of time with a name, such as "prefill". It is inside of the phase that the calling
 *  thread began last and has not ended. Phases of one name may be begun as often as one likes, by any number of
 *  threads at once; they are not sync points and do not count as such. Takes about a microsecond and blocks no
 *  longer than fnvm_engine_sync.
 *  @param name UTF-8, cut between characters to FNVM_MAX_NAME_BYTES bytes.
 *  @param id receives 1, 2, 3, …; the engine's next recording goes on from there, so that an id from before ends no
 *  phase of a later recording. Not NULL: fnvm_engine_phase_end needs it.
 *  @return FNVM_OK, FNVM_E_INVALID (also: an empty name; 4096 phases are open), FNVM_E_NOT_RUNNING, FNVM_E_IO
 *  (EAGAIN: the disk does not keep up), FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_phase_begin(fnvm_engine *engine, const char *name, uint64_t *id);

/** Ends a phase, from any thread. Those inside of it go on. One that is never ended ends with the trace, and is
 *  marked so there. Blocks no longer than fnvm_engine_sync.
 *  @return FNVM_OK, FNVM_E_INVALID (also: no phase of that id is open), FNVM_E_NOT_RUNNING, FNVM_E_IO (EAGAIN; it
 *  stays open), FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_phase_end(fnvm_engine *engine, uint64_t id);

/** Completes the trace that is being recorded and goes on into another one, without losing a sample: in each tier the
 *  first sample of the new trace is the tick after the last one of the old. The tiers run on undisturbed.
 *
 *      for (int hour = 1; is_going_on(); hour++) {
 *        sleep(3600);
 *        snprintf(path, sizeof path, "run-%d.bin", hour);
 *        if (fnvm_engine_rotate(engine, path) != FNVM_OK) fprintf(stderr, "%s\n", fnvm_last_error_message());
 *      }
 *
 *  - The new trace has a t = 0 of its own, just after the last fast sample of the old one; start_monotonic_ns and
 *    start_realtime_ns of its header say when that was, so that times of both can be put together exactly.
 *  - Sync points count from 1 in the new trace. A phase that is open ends in the old trace at that moment and begins
 *    again in the new one, with its id, name and parent.
 *  - Counters in the header and the STAT chunk are those of each trace; of a source, the longest read and the oldest
 *    value are since fnvm_engine_start. What fnvm_engine_counts, _stats, _sample_count and _snapshot say goes
 *    on from fnvm_engine_start too. Annotations go on into the new trace.
 *  - The next fnvm_engine_start after fnvm_engine_stop records to the new path.
 *
 *  Blocks until the old trace is complete on disk: a quarter of a second, and for long traces as long as copying the
 *  slower tiers takes; the recording goes on meanwhile. Two calls come one after the other, and a stop after
 *  them; other functions do not wait for it, but for marks, which can for one fast sample.
 *  @param output_path where the new trace goes; what is there is treated as fnvm_engine_start does.
 *  @return FNVM_OK, FNVM_E_INVALID (also: an empty path), FNVM_E_NOT_RUNNING, FNVM_E_FORKED, FNVM_E_IO:
 *  fnvm_last_error_path() says which trace it is about. The new one could not be created (EBUSY: a recorder writes
 *  there, or it is the path that is being recorded): the recording goes on in the old one. The old one could not be
 *  completed: the recording goes on in the new one, and fnvm_trace_recover completes the old one later. */
FNVM_API fnvm_status fnvm_engine_rotate(fnvm_engine *engine, const char *output_path);

/** What an annotation can hold, in bytes of UTF-8, and how many keys an engine has room for. */
#define FNVM_MAX_KEY_BYTES 64
#define FNVM_MAX_VALUE_BYTES 4096
#define FNVM_MAX_ANNOTATIONS 128

/** Says something of your own about what is recorded, for those who read the trace: the command, the model, the
 *  temperature of the room.
 *
 *      fnvm_engine_annotate(engine, "command", "train --epochs 3");
 *
 *  It is in the META chunk of every trace that this engine completes from now on, of the one that is being recorded
 *  too, and makes that chunk be written where no option asked for it. Setting a key again replaces its value; what
 *  is set after fnvm_engine_stop is for the next recording. Does not block.
 *  @param key UTF-8, 1 to FNVM_MAX_KEY_BYTES bytes. @param value UTF-8, at most FNVM_MAX_VALUE_BYTES bytes.
 *  @return FNVM_OK, FNVM_E_INVALID (also: too long, an empty key, FNVM_MAX_ANNOTATIONS keys are there already),
 *  FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_annotate(fnvm_engine *engine, const char *key, const char *value);

#define FNVM_TIER_FAST 0u
#define FNVM_TIER_MEDIUM 1u
#define FNVM_TIER_SLOW 2u

/** The newest sample of each tier, while it is being recorded. Set struct_size before the call. */
typedef struct fnvm_snapshot {
  uint32_t struct_size; /**< sizeof(fnvm_snapshot) */
  uint32_t tiers;       /**< the tiers that have a sample: bit 1 << FNVM_TIER_…; the others are zero */
  uint64_t start_monotonic_ns; /**< CLOCK_MONOTONIC at t = 0 */
  fnvm_fast_sample fast; /**< all zero until there is one; likewise below. cpu_util and cpu_aggregate are of about
                          *  100 ms before: how long a core slept is only known when it wakes. NaN at first */
  fnvm_medium_sample medium;
  fnvm_slow_sample slow;
  uint8_t reserved[6]; /**< zero */
} fnvm_snapshot;

#define FNVM_SNAPSHOT_INIT { (uint32_t)sizeof(fnvm_snapshot), 0u, 0u, \
                             { 0.0, 0u, { 0.0f }, 0.0f, 0u, 0u, 0.0f }, \
                             { 0.0, { 0u }, { 0u }, { 0.0f } }, { 0.0, { 0.0f } }, { 0u } }

/** Copies the newest samples; disturbs no tier. Does not block: a microsecond.
 *
 *      fnvm_snapshot now = FNVM_SNAPSHOT_INIT;
 *      if (fnvm_engine_snapshot(engine, &now) == FNVM_OK && (now.tiers & 1u << FNVM_TIER_SLOW) != 0)
 *        printf("%.1f degrees\n", (double)now.slow.temp_c[0]);
 *
 *  @return FNVM_OK, FNVM_E_INVALID (also: struct_size smaller than its first version), FNVM_E_NOT_RUNNING,
 *  FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_snapshot(const fnvm_engine *engine, fnvm_snapshot *out);

/** @return the fast samples so far, also after stop; 0 for NULL and in a forked child. Does not block. */
FNVM_API uint64_t fnvm_engine_sample_count(const fnvm_engine *engine);

/** @return 1 while recording, else 0, also in a forked child. Does not block. */
FNVM_API int fnvm_engine_is_running(const fnvm_engine *engine);

/** The counts so far, also after stop. Does not block.
 *  @return FNVM_OK, FNVM_E_INVALID (also: struct_size smaller than its first version). */
FNVM_API fnvm_status fnvm_engine_counts(const fnvm_engine *engine, fnvm_counts *out);

/** What a recording did and what it cost, in three parts: of the whole, of a tier, of a source. Set struct_size before
 *  the call, here and below. */
typedef struct fnvm_stats {
  uint32_t struct_size; /**< sizeof(fnvm_stats) */
  uint32_t num_sources; /**< how many fnvm_engine_source_stats knows */
  uint64_t elapsed_ns;  /**< since t = 0, until now or the end */
  uint64_t cpu_ns;      /**< CPU time of the threads that sample; divided by elapsed_ns, the share of one core */
} fnvm_stats;

#define FNVM_STATS_INIT { (uint32_t)sizeof(fnvm_stats), 0u, 0u, 0u }

/** One tier. Lateness is from a tick's deadline to its beginning; the warm-up and the closing sample are not
 *  counted in it, and quantiles are exact to 6 %. */
typedef struct fnvm_tier_stats {
  uint32_t struct_size; /**< sizeof(fnvm_tier_stats) */
  uint32_t rate_hz;     /**< the rate asked for */
  uint64_t samples;     /**< ticks at which a sample was taken */
  uint64_t missed;      /**< deadlines skipped because the tier was late */
  uint64_t dropped;     /**< samples for which there was no room, because the disk could not keep up */
  uint64_t lateness_median_ns, lateness_p99_ns, lateness_max_ns;
} fnvm_tier_stats;

#define FNVM_TIER_STATS_INIT { (uint32_t)sizeof(fnvm_tier_stats), 0u, 0u, 0u, 0u, 0u, 0u, 0u }

/** One source: the GPU, all CPUs, RAM, the memory controller, a rail, a zone. */
typedef struct fnvm_source_stats {
  uint32_t struct_size;     /**< sizeof(fnvm_source_stats) */
  uint32_t tier;            /**< FNVM_TIER_…: which takes its values */
  uint64_t has_own_thread;  /**< 1: a thread of its own reads it, because it can block; the tier then takes its
                             *  newest value */
  uint64_t reads, failures; /**< how often it was read, and how often that failed */
  uint64_t read_ns;         /**< time spent in reads */
  uint64_t longest_read_ns; /**< the longest of them */
  uint64_t mean_age_ns;     /**< the mean age of its values when samples took them */
  uint64_t oldest_ns;       /**< the oldest value that a sample took */
  const char *name;         /**< "gpu", "cpu", "ram", "emc", a rail's label, a zone's name; borrowed until the
                             *  engine is freed */
} fnvm_source_stats;

#define FNVM_SOURCE_STATS_INIT { (uint32_t)sizeof(fnvm_source_stats), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, NULL }

/** Ticks that were less late than end_ns, and not less late than the bucket before. */
typedef struct fnvm_lateness_bucket {
  uint64_t end_ns, ticks;
} fnvm_lateness_bucket;

/** The statistics so far, also after stop. Before the first start there are no tiers and no sources, and
 *  fnvm_engine_stats says 0 of everything. Does not block: microseconds.
 *  @return FNVM_OK, FNVM_E_INVALID (also: struct_size smaller than its first version, no such tier or
 *  source), FNVM_E_FORKED. */
FNVM_API fnvm_status fnvm_engine_stats(const fnvm_engine *engine, fnvm_stats *out);
FNVM_API fnvm_status fnvm_engine_tier_stats(const fnvm_engine *engine, uint32_t tier, fnvm_tier_stats *out);
FNVM_API fnvm_status fnvm_engine_source_stats(const fnvm_engine *engine, uint32_t index,
                                              fnvm_source_stats *out);

/** How late the ticks of a tier were: the buckets that counted any, in order, each 6 % wide. Ask for their number
 *  with a capacity of 0 first; while the engine runs there may be more by the second call.
 *  @param buckets receives the first `capacity` of them; NULL where capacity is 0.
 *  @return how many there are; 0 for NULL, for no such tier and in a forked child. */
FNVM_API uint32_t fnvm_engine_lateness(const fnvm_engine *engine, uint32_t tier,
                                       fnvm_lateness_bucket *buckets, uint32_t capacity);

/** What the user should be told about the current or last recording, one sentence each: a crashed trace
 *  that was set aside, a rate above what a sensor refreshes at, what a power sensor was set to.
 *  @return the text, borrowed until the engine is freed; NULL where index is past the last. */
FNVM_API const char *fnvm_engine_notice(const fnvm_engine *engine, uint32_t index);

/* ==== Traces ================================================================================== */

/* A trace is read where it lies: nothing is parsed or copied.
 *
 *     fnvm_trace *trace = NULL;
 *     if (fnvm_trace_open("run.bin", &trace) != FNVM_OK) return fail();
 *     uint64_t count = 0;
 *     const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &count);
 *     for (uint64_t i = 0; i < count; i++) printf("%.3f %.0f\n", medium[i].time_s, (double)medium[i].power_mw[0]);
 *     fnvm_trace_close(trace);
 */

/** A complete trace, mapped into memory: opening one of any length takes a moment.
 *  Thread-safety: any number of threads may read one trace; fnvm_trace_close must be the last call. */
typedef struct fnvm_trace fnvm_trace;

/** Maps a trace and checks that it is whole. The file may be replaced or removed meanwhile, but must not
 *  be shortened while it is open: reading what is gone ends the process with SIGBUS. Blocks for the file system.
 *  @param out receives the trace, to be closed with fnvm_trace_close.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_IO, FNVM_E_FORMAT, FNVM_E_UNFINISHED. */
FNVM_API fnvm_status fnvm_trace_open(const char *path, fnvm_trace **out);

/** Unmaps it. Every pointer into the trace ends here. NULL is allowed. */
FNVM_API void fnvm_trace_close(fnvm_trace *trace);

/** The parts of a trace, borrowed until it is closed; the first touch of a page waits for the disk.
 *  @param count NULL, or receives how many there are.
 *  @return the first of them; NULL (and 0) for NULL. */
FNVM_API const fnvm_file_header *fnvm_trace_header(const fnvm_trace *trace);
FNVM_API const fnvm_fast_sample *fnvm_trace_fast(const fnvm_trace *trace, uint64_t *count);
FNVM_API const fnvm_medium_sample *fnvm_trace_medium(const fnvm_trace *trace, uint64_t *count);
FNVM_API const fnvm_slow_sample *fnvm_trace_slow(const fnvm_trace *trace, uint64_t *count);
FNVM_API const fnvm_sync_point *fnvm_trace_sync_points(const fnvm_trace *trace, uint64_t *count);

/** A chunk of a trace: what a feature has to say beyond samples and sync points (docs/trace-format.md). */
typedef struct fnvm_chunk {
  uint32_t struct_size; /**< sizeof(fnvm_chunk) */
  char type[8];         /**< four ASCII characters, such as "META", and a NUL */
  const void *payload;  /**< not aligned */
  uint64_t size;        /**< of the payload, in bytes */
} fnvm_chunk;

#define FNVM_CHUNK_INIT { (uint32_t)sizeof(fnvm_chunk), "", NULL, 0u }

/** @return how many chunks follow the records, one that the file ends in counted; 0 for NULL. */
FNVM_API uint32_t fnvm_trace_num_chunks(const fnvm_trace *trace);

/** A chunk, its checksum verified: linear in its size. The payload is borrowed until the trace is closed.
 *  @param out set struct_size before the call.
 *  @return FNVM_OK, FNVM_E_INVALID (also: index past the last), FNVM_E_FORMAT (it is damaged; samples
 *  and other chunks are not the worse for it). */
FNVM_API fnvm_status fnvm_trace_chunk(const fnvm_trace *trace, uint32_t index, fnvm_chunk *out);

/** A phase of a trace. */
typedef struct fnvm_phase {
  uint32_t struct_size; /**< sizeof(fnvm_phase) */
  uint32_t thread;      /**< the thread that began it, as gettid() says */
  uint64_t id;          /**< grows in the order of their beginnings */
  uint64_t parent;      /**< the phase that it is inside of, 0: none */
  uint64_t depth;       /**< how many it is inside of */
  uint64_t begin_ns;    /**< nanoseconds since t = 0 */
  uint64_t end_ns;      /**< likewise; where it was never ended, the time of the last fast sample */
  uint64_t was_ended;   /**< 0: it was not */
  const char *name;     /**< UTF-8, borrowed until the trace is closed */
} fnvm_phase;

#define FNVM_PHASE_INIT { (uint32_t)sizeof(fnvm_phase), 0u, 0u, 0u, 0u, 0u, 0u, 0u, NULL }

/** @return how many phases the trace has; 0 for NULL, and where what is said of them is damaged. The first call for
 *  a trace, of this and the two below, is linear in the number of phases. */
FNVM_API uint32_t fnvm_trace_num_phases(const fnvm_trace *trace);

/** A phase; they are in the order of their beginnings. Its name is borrowed until the trace is closed.
 *  @param out set struct_size before the call.
 *  @return FNVM_OK, FNVM_E_INVALID (also: index past the last). */
FNVM_API fnvm_status fnvm_trace_phase(const fnvm_trace *trace, uint32_t index, fnvm_phase *out);

/** @param time_ns NULL, or receives when the mark was made, nanoseconds since t = 0.
 *  @return the label of a sync point, borrowed until the trace is closed; NULL where it has none. */
FNVM_API const char *fnvm_trace_sync_label(const fnvm_trace *trace, uint64_t sync_id, uint64_t *time_ns);

/** Completes a trace whose recorder was killed or crashed, from the file and the spools beside it
 *  (docs/trace-format.md). Does nothing to a trace that is complete. Blocks for the file system.
 *  @param recovered NULL, or receives 1 where the trace was completed now, 0 where it was complete.
 *  @return FNVM_OK, FNVM_E_INVALID, FNVM_E_IO (EBUSY: it is being recorded), FNVM_E_FORMAT (also: it was complete
 *  and has been cut short). */
FNVM_API fnvm_status fnvm_trace_recover(const char *path, int *recovered);

#ifdef __cplusplus
}
#endif

/* The layout is the format's: held to it by every compiler that reads this. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define FNVM_STATIC_ASSERT(condition, name) static_assert(condition, #name)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define FNVM_STATIC_ASSERT(condition, name) _Static_assert(condition, #name)
#else
#define FNVM_STATIC_ASSERT(condition, name) typedef char fnvm_assert_##name[(condition) ? 1 : -1]
#endif
FNVM_STATIC_ASSERT(sizeof(fnvm_file_header) == 728, header_is_728_bytes);
FNVM_STATIC_ASSERT(offsetof(fnvm_file_header, num_fast_samples) == 56, counts_are_at_56);
FNVM_STATIC_ASSERT(offsetof(fnvm_file_header, flags) == 664, flags_are_at_664);
FNVM_STATIC_ASSERT(offsetof(fnvm_file_header, reserved) == 716, reserved_is_at_716);
FNVM_STATIC_ASSERT(sizeof(fnvm_fast_sample) == 98, fast_sample_is_98_bytes);
FNVM_STATIC_ASSERT(offsetof(fnvm_fast_sample, emc_util) == 94, emc_util_is_at_94);
FNVM_STATIC_ASSERT(sizeof(fnvm_medium_sample) == 104, medium_sample_is_104_bytes);
FNVM_STATIC_ASSERT(sizeof(fnvm_slow_sample) == 72, slow_sample_is_72_bytes);
FNVM_STATIC_ASSERT(sizeof(fnvm_sync_point) == 16, sync_point_is_16_bytes);

#endif
