-- Records the board for some seconds and shows its newest samples meanwhile. For LuaJIT:
--   luajit monitor.lua run.bin 10
local ffi = require "ffi"
ffi.cdef [[
typedef struct fnvm_board fnvm_board;
typedef struct fnvm_engine fnvm_engine;
typedef struct { double time_s; uint16_t gpu_load; float cpu_util[16], cpu_aggregate;
  uint64_t ram_used_kb, ram_available_kb; float emc_util; } __attribute__((packed)) fnvm_fast_sample;
typedef struct { double time_s; uint32_t voltage_mv[8], current_ma[8]; float power_mw[8]; }
  __attribute__((packed)) fnvm_medium_sample;
typedef struct { double time_s; float temp_c[16]; } __attribute__((packed)) fnvm_slow_sample;
typedef struct { uint32_t struct_size, tiers; uint64_t start_monotonic_ns;
  fnvm_fast_sample fast; fnvm_medium_sample medium; fnvm_slow_sample slow; uint8_t reserved[6]; } fnvm_snapshot;
const char *fnvm_last_error_message(void);
int32_t fnvm_board_detect(const char *root, fnvm_board **out);
int32_t fnvm_board_named(const char *name, const char *root, fnvm_board **out);
uint32_t fnvm_board_num_power_rails(const fnvm_board *board);
int fnvm_board_rail_in_total(const fnvm_board *board, uint32_t rail);
uint32_t fnvm_board_num_thermal_zones(const fnvm_board *board);
void fnvm_board_free(fnvm_board *board);
int32_t fnvm_engine_create(const char *path, const fnvm_board *board, const void *options, fnvm_engine **out);
int32_t fnvm_engine_start(fnvm_engine *engine);
int32_t fnvm_engine_snapshot(const fnvm_engine *engine, fnvm_snapshot *out);
uint64_t fnvm_engine_sample_count(const fnvm_engine *engine);
int32_t fnvm_engine_stop(fnvm_engine *engine);
void fnvm_engine_free(fnvm_engine *engine);
int poll(void *none, unsigned long count, int timeout_ms);
]]
local nv = ffi.load "libfastnvmetrics.so.0" -- the number is the ABI that is declared here
local function fail(message)
  io.stderr:write("monitor: ", message, "\n")
  os.exit(1, true) -- closes the engine too: the trace is completed
end
local function must(status) if status ~= 0 then fail(ffi.string(nv.fnvm_last_error_message())) end end
local function show(value) return value and ("%.1f"):format(value) or "-" end -- nil: not known

local path, seconds = arg[1] or "run.bin", tonumber(arg[2] or 1) or fail "usage: monitor.lua [TRACE [SECONDS]]"
local out = ffi.new "fnvm_board *[1]"
if nv.fnvm_board_detect(nil, out) ~= 0 then must(nv.fnvm_board_named("generic_linux", nil, out)) end
local board, handle = ffi.gc(out[0], nv.fnvm_board_free), ffi.new "fnvm_engine *[1]"
must(nv.fnvm_engine_create(path, board, nil, handle))
local engine = ffi.gc(handle[0], nv.fnvm_engine_free)
must(nv.fnvm_engine_start(engine))
local now = ffi.new("fnvm_snapshot", {struct_size = ffi.sizeof "fnvm_snapshot"})
for _ = 1, seconds * 2 do
  ffi.C.poll(nil, 0, 500)
  must(nv.fnvm_engine_snapshot(engine, now))
  local watts, hottest
  for rail = 0, nv.fnvm_board_num_power_rails(board) - 1 do
    if nv.fnvm_board_rail_in_total(board, rail) == 1 then watts = (watts or 0) + now.medium.power_mw[rail] / 1000 end
  end
  for zone = 0, nv.fnvm_board_num_thermal_zones(board) - 1 do
    if now.slow.temp_c[zone] > (hottest or -273) then hottest = now.slow.temp_c[zone] end -- not where it is NaN
  end
  print(("GPU %5.1f %%  RAM %d MiB  power %s W  hottest zone %s C"):format(now.fast.gpu_load / 10,
    tonumber(now.fast.ram_used_kb / 1024), show(watts), show(hottest)))
end
must(nv.fnvm_engine_stop(engine))
print(("%d samples in %s"):format(tonumber(nv.fnvm_engine_sample_count(engine)), path))
