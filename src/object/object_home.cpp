// SPDX-License-Identifier: MIT
#include <fastalloc/object/object_home.hpp>
#include <fastalloc/object/ticket_source.hpp>

namespace fastalloc::detail {

void end_of_owners(ticket* t) noexcept {
    ticket_source& source = *t->source;
    source.home().drop(t->object.load(std::memory_order_relaxed));
    // Last: while the object is destroyed, nobody can find another one by its ticket.
    source.put(t);
}

void way_home::drop_slow(way_home way, void* p) noexcept {
    if (ticket* const t = way.find_ticket()) {
        if (t->state.drop()) end_of_owners(t);
    } else {
        way.home()->drop(way.whole(p));
    }
}

ticket* way_home::ticket_of(void* p) {
    if (ticket* const t = find_ticket()) return t;
    ticket* const t = home()->tickets().take(whole(p));
    *this = way_home(t);
    return t;
}

void way_home::leave() noexcept {
    if (ticket* const t = find_ticket()) {
        if (t->number.load(std::memory_order_relaxed) != 0) {
            t->source->home().count_release();
        } else if (t->state.drop()) {
            // There was no memory for its number, and there is no key.
            t->source->put(t);
        }
    }
    *this = way_home();
}

}  // namespace fastalloc::detail
