/* The driver of dbt 2's Redshift adapter, for the stand-in of Redshift and for nothing else.
 *
 * dbt 2 talks to Redshift through an ADBC driver, a library that comes from outside. This one has
 * the name that dbt 2 looks for, and hands everything to the driver of PostgreSQL that lies beside
 * it, since the stand-in speaks PostgreSQL's protocol. Options that only Redshift's driver has are
 * dropped: the login comes in the option "uri". So dbt 2 and its adapter run as they are.
 *
 *     cc -shared -fPIC -o libadbc_driver_redshift-VERSION.so driver.c -ldl
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint8_t Status;
typedef Status (*Initialise)(int version, void *driver, void *error);
typedef Status (*SetOption)(void *database, const char *name, const char *value, void *error);

enum { OK = 0, UNKNOWN = 1 };
/* ADBC's driver is a table: `private_data`, `private_manager`, `release`, `DatabaseInit`,
 * `DatabaseNew`, and then this. */
enum { DATABASE_SET_OPTION = 5 };

static SetOption set_option_of_postgres;

static Status set_option(void *database, const char *name, const char *value, void *error) {
    if (strncmp(name, "redshift.", strlen("redshift.")) == 0) return OK;
    return set_option_of_postgres(database, name, value, error);
}

static void *open_postgres(void) {
    static const char name[] = "libadbc_driver_postgresql.so";
    char path[4096];
    Dl_info here;
    if (!dladdr((void *)open_postgres, &here)) return NULL;
    const char *slash = strrchr(here.dli_fname, '/');
    int folder = slash ? (int)(slash - here.dli_fname) + 1 : 0;
    int size = snprintf(path, sizeof path, "%.*s%s", folder, here.dli_fname, name);
    if (size < 0 || (size_t)size >= sizeof path) return NULL;
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

Status AdbcDriverInit(int version, void *driver, void *error) {
    void *library = open_postgres();
    Initialise initialise = library ? (Initialise)dlsym(library, "AdbcDriverInit") : NULL;
    if (!initialise) {
        const char *why = dlerror();
        fprintf(stderr, "the driver of the stand-in: %s\n", why ? why : "its path is too long");
        return UNKNOWN;
    }
    Status status = initialise(version, driver, error);
    if (status == OK) {
        void **table = driver;
        set_option_of_postgres = (SetOption)table[DATABASE_SET_OPTION];
        table[DATABASE_SET_OPTION] = (void *)set_option;
    }
    return status;
}
