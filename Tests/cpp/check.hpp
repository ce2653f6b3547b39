// What check.h lacks for C++: exceptions. An uncaught one fails its test, not the program.
#ifndef FASTNVMETRICS_TESTS_CHECK_HPP
#define FASTNVMETRICS_TESTS_CHECK_HPP

#include <exception>
#include <string>

#include "check.h"
#include "fixture.h"

#define CHECK_THROWS(exception, expression)                                                  \
  do {                                                                                       \
    bool thrown = false;                                                                     \
    try {                                                                                    \
      (void)(expression);                                                                    \
    } catch (const exception&) {                                                             \
      thrown = true;                                                                         \
    }                                                                                        \
    (void)check_holds(thrown, #expression " throws " #exception, __FILE__, __LINE__);        \
  } while (0)

#define FAIL(text) ((void)check_holds(0, text, __FILE__, __LINE__))

template <void (*test)()>
void guarded() {
  try {
    test();
  } catch (const std::exception& error) {
    FAIL((std::string("no exception, but: ") + error.what()).c_str());
  }
}

#define RUN_GUARDED(test) RUN(guarded<test>)

// The tree of fixture.h, removed with its owner.
class Tree {
 public:
  Tree() : fixture_(fixture_create()) {}
  ~Tree() { fixture_remove(&fixture_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  std::string root() const { return fixture_.root; }
  std::string path(const std::string& relative) {
    return fixture_path(&fixture_, relative.c_str());
  }
  void write(const std::string& relative, const std::string& text) {
    fixture_write_bytes(&fixture_, relative.c_str(), text.data(), text.size());
  }
  int count(const std::string& prefix) { return fixture_count(&fixture_, prefix.c_str()); }

 private:
  fixture fixture_;
};

#endif
