// SPDX-License-Identifier: MIT
#pragma once

namespace fastalloc {

/// A type that wants to know when an object leaves its pool: `on_acquire()` is called after it was
/// constructed, or taken out of the objects that are kept, and before anybody gets it. It may
/// throw.
template <class T>
concept has_on_acquire = requires(T& object) {
    object.on_acquire();
};

/// A type that wants to know when an object comes back: `on_release()` is called before it is
/// destroyed, reset or kept. An exception that leaves it ends the program.
template <class T>
concept has_on_release = requires(T& object) {
    object.on_release();
};

}  // namespace fastalloc
