/* The driver of dbt 2's Redshift adapter, for the stand-in of Redshift and for nothing else.
 *
 * dbt 2 talks to Redshift through an ADBC driver, a library that comes from outside. This one has
 * the name that dbt 2 looks for, and hands everything to the driver of PostgreSQL that the variable
 * STANDIN_DRIVER names, since the stand-in speaks PostgreSQL's protocol. Options that only
 * Redshift's driver has are dropped: the login comes in the option "uri". So dbt 2 and its adapter
 * run as they are.
 *
 *     cc -shared -fPIC -o libadbc_driver_redshift-VERSION.so driver.c -ldl
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

Status AdbcDriverInit(int version, void *driver, void *error) {
    const char *path = getenv("STANDIN_DRIVER");
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    Initialise initialise = library ? (Initialise)dlsym(library, "AdbcDriverInit") : NULL;
    if (!initialise) {
        fprintf(stderr, "STANDIN_DRIVER: %s\n", path ? dlerror() : "not set");
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
