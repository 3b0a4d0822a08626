#include "base/late.h"

#include <dlfcn.h>
#include <string.h>

// Libraries look for their symbols among themselves first, and not in the program's before: for
// libpq with its two dozen that halves what loading costs. The sanitizers do not bear it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HOW (RTLD_LAZY | RTLD_LOCAL)
#else
#define HOW (RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND)
#endif

#define FUNCTIONS_MAX 64u

bool
dr_late_load(const char *library, const char *const *names, size_t count, void *table)
{
    void *found[FUNCTIONS_MAX] = {NULL};
    void *handle = count > FUNCTIONS_MAX ? NULL : dlopen(library, HOW);
    if (handle == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        found[i] = dlsym(handle, names[i]);
        if (found[i] == NULL) {
            return false; // the library stays: it may have begun threads
        }
    }
    memcpy(table, found, count * sizeof found[0]);
    return true;
}
