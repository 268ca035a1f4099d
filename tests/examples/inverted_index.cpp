// SPDX-License-Identifier: MIT
//
// Indexes the words of directory trees, answers queries, and shows what the same program costs over
// different memory resources. `inverted_index --help` says how to use it.

#include "documents.hpp"
#include "observing_resource.hpp"
#include "pool_report.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <scoped_allocator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using std::pmr::memory_resource;

constexpr const char* usage =
    R"(Usage: inverted_index [option]... [path]...

Indexes the words of the files below each path (default: /usr/include), over five memory resources
in turn, and compares what that costs. A word is a run of letters, digits and underscores. Symbolic
links are followed only where they are given as a path; binary files are skipped.

  --query WORDS    show the files that hold all of the words, and on how many lines each of them is
  --words PREFIX   show the words that begin so, and in how many files each is
  --repeat N       time each resource N times and show the medians (default: 3)

With one of these, it indexes once, over a growing pool, and shows the pool with the whole index in it:

  --statistics FORMAT    what it counted and how long it took, as text, json or prometheus
  --picture FILE         what is where, as SVG

Exit status: 0 if all answers agree, or the report is written, 1 if not, or a run fails, 2 if the
command line is wrong or there is nothing to index.
)";

struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What the command line asks for.
struct job {
    std::vector<fs::path> paths;
    std::vector<std::vector<std::string>> queries;
    std::vector<std::string> prefixes;
    std::size_t repeat = 3;
    pool_report report;
    std::vector<document> documents;
};

/// Bytes above ASCII belong to words: UTF-8 makes letters of them.
constexpr auto is_word_byte = [] {
    std::array<bool, 256> table{};
    for (std::size_t c = 0; c != table.size(); ++c) {
        table[c] = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   c == '_' || c >= 128;
    }
    return table;
}();

/// Calls `visit(word, line)` for each word of the text.
template <class Visit>
void for_each_word(std::string_view text, Visit visit) {
    std::uint32_t line = 1;
    for (std::size_t i = 0; i != text.size();) {
        const std::size_t start = i;
        while (i != text.size() && is_word_byte[static_cast<unsigned char>(text[i])]) ++i;
        if (i != start) {
            visit(text.substr(start, i - start), line);
        } else if (text[i++] == '\n') {
            ++line;
        }
    }
}

// ---- the index ---------------------------------------------------------------------------------

/// Allocators that hold a `memory_resource*`, and hand it on to elements by themselves.
struct pmr_family {
    template <class T>
    using plain = std::pmr::polymorphic_allocator<T>;
    template <class T>
    using handing_on = plain<T>;

    static plain<std::byte> allocator(memory_resource& resource) { return &resource; }
};

/// Allocators that know the type of their resource: no call to it is virtual.
template <class Resource>
struct static_family {
    template <class T>
    using plain = fastalloc::resource_allocator<T, Resource>;
    template <class T>
    using handing_on = std::scoped_allocator_adaptor<plain<T>>;

    static plain<std::byte> allocator(Resource& resource) { return resource; }
};

struct word_hash {
    using is_transparent = void;

    std::size_t operator()(std::string_view w) const { return std::hash<std::string_view>{}(w); }
};

struct posting {
    std::uint32_t document;
    std::uint32_t lines;
    std::uint32_t last_line;
};

/// Ordinary containers. Nothing in here depends on where their memory comes from.
template <class Family>
class index {
public:
    explicit index(const typename Family::template plain<std::byte>& allocator)
        : postings_of_(allocator), in_order_(allocator) {}

    bool empty() const { return postings_of_.empty(); }

    void add(std::uint32_t document, std::string_view text) {
        for_each_word(text, [&](std::string_view word, std::uint32_t line) {
            postings& list = find_or_insert(word);
            if (list.empty() || list.back().document != document) {
                list.push_back({document, 1, line});
            } else if (list.back().last_line != line) {
                ++list.back().lines;
                list.back().last_line = line;
            }
        });
    }

    /// Returns: the answers, and a digest of all that is in the index, as text.
    std::string answer(const job& asked) const {
        std::string text = summary();
        for (const auto& words : asked.queries) text += find(words, asked.documents);
        for (const auto& prefix : asked.prefixes) text += words_from(prefix);
        return text;
    }

private:
    template <class T>
    using plain = typename Family::template plain<T>;
    template <class Key, class Value>
    using pair_allocator = typename Family::template handing_on<std::pair<const Key, Value>>;

    using string = std::basic_string<char, std::char_traits<char>, plain<char>>;
    using postings = std::vector<posting, plain<posting>>;

    static constexpr std::size_t shown_at_most = 10;

    postings& find_or_insert(std::string_view word) {
        const auto known = postings_of_.find(word);
        if (known != postings_of_.end()) return known->second;
        const auto added = postings_of_.emplace(std::piecewise_construct,
                                                std::forward_as_tuple(word), std::tuple<>());
        auto& [key, list] = *added.first;
        in_order_.emplace(key, &list);
        return list;
    }

    std::string summary() const {
        std::size_t count = 0;
        std::uint64_t digest = 14695981039346656037U;  // FNV-1a
        const auto mix = [&](std::uint64_t value) { digest = (digest ^ value) * 1099511628211U; };
        for (const auto& [word, list] : in_order_) {
            count += list->size();
            for (const char c : word) mix(static_cast<unsigned char>(c));
            for (const posting& p : *list) mix(p.document), mix(p.lines), mix(p.last_line);
        }
        return std::to_string(in_order_.size()) + " different words, " + std::to_string(count) +
               " postings, digest " + std::to_string(digest) + "\n";
    }

    std::string find(const std::vector<std::string>& words,
                     const std::vector<document>& documents) const {
        std::string title = "\nquery";
        std::vector<const postings*> lists;
        for (const std::string& word : words) {
            title += ' ' + word;
            const auto known = postings_of_.find(std::string_view(word));
            if (known != postings_of_.end()) lists.push_back(&known->second);
        }
        std::vector<std::string> found;
        if (lists.size() == words.size()) {
            for (const posting& first : *lists.front()) {
                std::string line = documents[first.document].path + ':';
                const char* separator = " ";
                const bool in_all = std::ranges::all_of(lists, [&](const postings* list) {
                    const auto p =
                        std::ranges::lower_bound(*list, first.document, {}, &posting::document);
                    if (p == list->end() || p->document != first.document) return false;
                    line += std::exchange(separator, " + ") + std::to_string(p->lines);
                    return true;
                });
                if (in_all) found.push_back(line + " lines");
            }
        }
        return listing(title, " files", found);
    }

    std::string words_from(std::string_view prefix) const {
        std::vector<std::string> found;
        for (auto i = in_order_.lower_bound(prefix);
             i != in_order_.end() && i->first.starts_with(prefix); ++i) {
            found.push_back(std::string(i->first) + ": in " + std::to_string(i->second->size()) +
                            " files");
        }
        return listing("\nwords from " + std::string(prefix), " words", found);
    }

    static std::string listing(const std::string& title, const char* what,
                               const std::vector<std::string>& lines) {
        std::string text = title + ": " + std::to_string(lines.size()) + what + '\n';
        const std::size_t shown = std::min(lines.size(), shown_at_most);
        for (std::size_t i = 0; i != shown; ++i) text += "  " + lines[i] + '\n';
        if (shown != lines.size()) text += "  ...\n";
        return text;
    }

    std::unordered_map<string, postings, word_hash, std::equal_to<>,
                       pair_allocator<string, postings>>
        postings_of_;
    // Refers to the elements of the other, which stay where they are.
    std::map<std::string_view, const postings*, std::less<>,
             pair_allocator<std::string_view, const postings*>>
        in_order_;
};

// ---- measuring ---------------------------------------------------------------------------------

struct outcome {
    double build_ms;
    double teardown_ms;
    std::string answers;
};

/// The whole program, over the resource that `make(upstream)` points to. A pool's construction is
/// part of the build, its destruction part of the teardown.
template <class Family, class Make>
outcome run(const job& asked, const Make& make, memory_resource* upstream) {
    using clock = std::chrono::steady_clock;
    using milliseconds = std::chrono::duration<double, std::milli>;
    const auto start = clock::now();
    auto resource = make(upstream);
    std::optional<index<Family>> words(std::in_place, Family::allocator(*resource));
    std::uint32_t number = 0;
    for (const document& d : asked.documents) words->add(number++, d.text);
    const auto built = clock::now();

    std::string answers = words->empty() ? "" : words->answer(asked);

    const auto end = clock::now();
    words.reset();
    resource = nullptr;
    const auto gone = clock::now();
    return {milliseconds(built - start).count(), milliseconds(gone - end).count(),
            std::move(answers)};
}

struct contender {
    const char* name;
    std::function<outcome(memory_resource* upstream)> run;
    std::vector<double> build_ms{};
    std::vector<double> teardown_ms{};
    std::size_t requests = 0;
    std::size_t peak_bytes = 0;
    bool agrees = true;
};

constexpr auto upstream_itself = [](memory_resource* upstream) { return upstream; };

template <class Resource>
constexpr auto pool_over =
    [](memory_resource* upstream) { return std::make_unique<Resource>(upstream); };

std::vector<contender> contenders(const job& asked,
                                  const std::vector<fastalloc::pool_config>& classes) {
    const auto contend = [&]<class Family>(Family, const char* name, auto make) {
        return contender{name, [&asked, make](memory_resource* upstream) {
                             return run<Family>(asked, make, upstream);
                         }};
    };
    using growing = fastalloc::growing_pool_resource;
    const auto fixed = [&classes](memory_resource* upstream) {
        return std::make_unique<fastalloc::fixed_pool_resource>(classes, upstream);
    };
    return {
        contend(pmr_family{}, "default resource", upstream_itself),
        contend(pmr_family{}, "std unsynchronized pool",
                pool_over<std::pmr::unsynchronized_pool_resource>),
        contend(pmr_family{}, "fastalloc growing pool", pool_over<growing>),
        contend(static_family<growing>{}, "fastalloc growing, static types", pool_over<growing>),
        contend(pmr_family{}, "fastalloc fixed pool", fixed)};
}

/// Effects: runs each once to observe and `repeat` times to time it, in turns, back and forth, so
/// that what else happens falls on all alike. The timed ones have nothing between pool and system.
void measure(std::vector<contender>& all, const std::string& expected, std::size_t repeat) {
    for (contender& c : all) {
        observing_resource observer(std::pmr::new_delete_resource());
        c.agrees = c.run(&observer).answers == expected;
        c.requests = observer.requests();
        c.peak_bytes = observer.peak_bytes();
    }
    for (std::size_t i = 0; i != repeat; ++i) {
        for (std::size_t j = 0; j != all.size(); ++j) {
            contender& c = all[i % 2 == 0 ? j : all.size() - 1 - j];
            const outcome timed = c.run(std::pmr::new_delete_resource());
            c.agrees = c.agrees && timed.answers == expected;
            c.build_ms.push_back(timed.build_ms);
            c.teardown_ms.push_back(timed.teardown_ms);
        }
    }
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

void show(const std::vector<contender>& all) {
    constexpr const char* heading = "%-32s %10s %6s %10s %6s %10s %9s\n";
    std::printf("\n");
    std::printf(heading, "", "build", "", "teardown", "", "upstream", "peak");
    std::printf(heading, "resource", "ms", "ratio", "ms", "ratio", "requests", "MiB");
    const double default_build = median(all.front().build_ms);
    const double default_teardown = median(all.front().teardown_ms);
    for (const contender& c : all) {
        const double build = median(c.build_ms);
        const double teardown = median(c.teardown_ms);
        std::printf("%-32s %10.2f %6.2f %10.2f %6.2f %10zu %9.2f%s\n", c.name, build,
                    build / default_build, teardown, teardown / default_teardown, c.requests,
                    static_cast<double>(c.peak_bytes) / (1 << 20),
                    c.agrees ? "" : "  WRONG ANSWERS");
    }
}

// ---- the command line ---------------------------------------------------------------------------

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    for_each_word(text, [&](std::string_view word, std::uint32_t) { words.emplace_back(word); });
    if (words.empty()) throw usage_error("there is no word in '" + text + "'");
    return words;
}

std::size_t number_of(const std::string& text) {
    std::size_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{} || *end != '\0' || n == 0) {
        throw usage_error("'" + text + "' is not a number from 1");
    }
    return n;
}

job parse(const std::vector<std::string>& arguments) {
    job asked;
    for (auto i = arguments.begin(); i != arguments.end(); ++i) {
        const auto value = [&] {
            if (i + 1 == arguments.end()) throw usage_error(*i + " needs a value");
            return *++i;
        };
        if (*i == "--query") {
            asked.queries.push_back(words_of(value()));
        } else if (*i == "--words") {
            asked.prefixes.push_back(value());
        } else if (*i == "--repeat") {
            asked.repeat = number_of(value());
        } else if (*i == "--statistics") {
            asked.report.format = value();
            if (!pool_report::is_format(asked.report.format)) {
                throw usage_error("'" + asked.report.format + "' is not " +
                                  std::string(pool_report::formats));
            }
        } else if (*i == "--picture") {
            asked.report.picture = value();
            if (asked.report.picture.empty()) throw usage_error("--picture needs a file");
        } else if (i->starts_with('-')) {
            throw usage_error("unknown option " + *i);
        } else {
            asked.paths.push_back(*i);
        }
    }
    if (asked.paths.empty()) asked.paths = {"/usr/include"};
    return asked;
}

/// Effects: shows a pool that counts, with the whole index in it.
int report(const job& asked) {
    fastalloc::basic_growing_pool_resource<fastalloc::bitmap_index, fastalloc::timing_statistics>
        pool;
    index<pmr_family> words(pmr_family::allocator(pool));
    std::uint32_t number = 0;
    for (const document& d : asked.documents) words.add(number++, d.text);
    return asked.report.write("inverted index", pool, pool) ? 0 : 1;
}

int index_all(job asked) {
    asked.documents = read_all(asked.paths);
    if (asked.report.is_wanted()) return report(asked);
    fastalloc::growing_pool_resource growing;
    observing_resource observer(&growing);
    const outcome first = run<pmr_family>(asked, upstream_itself, &observer);
    growing.release();
    if (first.answers.empty()) {
        std::fprintf(stderr, "inverted_index: nothing to index\n");
        return 2;
    }
    const std::vector<fastalloc::pool_config> classes = observer.classes();
    std::vector<contender> all = contenders(asked, classes);
    const double runs = static_cast<double>(all.size()) * static_cast<double>(asked.repeat + 1);
    std::printf("%s\nComparing %zu resources takes about %.0f s more.\n", first.answers.c_str(),
                all.size(), runs * (first.build_ms + first.teardown_ms) / 1000);
    std::fflush(stdout);
    measure(all, first.answers, asked.repeat);
    show(all);
    const bool agree = std::ranges::all_of(all, &contender::agrees);
    std::printf("\n%s (Times: median of %zu. Ratios: to the default resource.)\n",
                agree ? "All answers agree." : "THE ANSWERS DISAGREE.", asked.repeat);
    return agree ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::vector<std::string> arguments(argv + 1, argv + argc);
        if (std::ranges::find(arguments, "--help") != arguments.end()) {
            std::fputs(usage, stdout);
            return 0;
        }
        return index_all(parse(arguments));
    } catch (const usage_error& e) {
        std::fprintf(stderr, "inverted_index: %s\n\n%s", e.what(), usage);
        return 2;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "inverted_index: the run failed: %s\n", e.what());
        return 1;
    }
}
