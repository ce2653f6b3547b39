// The same in C++: records a tree of known values, reads the trace back and compares.
//
//     record ROOT TRACE
#include <fastnvmetrics/fastnvmetrics.hpp>

#include <chrono>
#include <fstream>
#include <iostream>

static void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string("not so: ") + what);
}
#define REQUIRE(condition) require(condition, #condition)

static void record(const std::string& root, const std::string& output) {
  fastnvmetrics::BoardConfig board;
  board.board_name = "bench";
  board.num_cpu_cores = 2;
  board.root = root;
  board.gpu_load_path = root + "/sys/gpu/load";
  board.power_rails.push_back({"VDD_A", root + "/sys/rails/a_mv", root + "/sys/rails/a_ma"});
  board.thermal_zones.push_back({"cpu-thermal", root + "/sys/zones/cpu"});

  fastnvmetrics::Engine engine(output, board);
  engine.start();
  engine.wait_for_warmup();
  REQUIRE(engine.sync() == 1);
  while (engine.sample_count() < 50) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  engine.stop();
}

static void compare(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  fastnvmetrics::FileHeader header;
  file.read(reinterpret_cast<char*>(&header), sizeof(header));
  REQUIRE(file.good() && header.magic == fastnvmetrics::MAGIC);
  REQUIRE(header.board_name == std::string("bench") && header.num_fast_samples >= 50);
  REQUIRE(header.num_sync_points == 1);
  for (uint64_t i = 0; i < header.num_fast_samples; i++) {
    fastnvmetrics::FastSample sample;
    file.read(reinterpret_cast<char*>(&sample), sizeof(sample));
    REQUIRE(file.good() && sample.ram_used_kb == 12000000);
    REQUIRE(i == 0 || sample.gpu_load == 437);
  }
  fastnvmetrics::MediumSample medium;
  file.read(reinterpret_cast<char*>(&medium), sizeof(medium));
  REQUIRE(file.good() && medium.voltage_mv[0] == 5000 && medium.current_ma[0] == 1200);
}

int main(int argc, char** argv) try {
  REQUIRE(argc == 3);
  record(argv[1], argv[2]);
  compare(argv[2]);
  std::cout << "C++: fastnvmetrics " << fnvm_version_string() << ", as expected\n";
} catch (const std::exception& error) {
  std::cerr << "record.cpp: " << error.what() << '\n';
  return 1;
}
