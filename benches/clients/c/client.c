/* Apache's C client under the same load as the others: see ../README.md.
 *
 * client ADDRESS get|set IN_FLIGHT SECONDS
 *
 * With -DTHREADED, linked with zookeeper_mt: requests are made on the completion thread. Without,
 * linked with zookeeper_st: everything happens in the loop below. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static const char PATH[] = "/clients-bench";
#define DATA_LENGTH 100
#define WARM_UP 0.5

static zhandle_t *handle;
static char data[DATA_LENGTH];
static int is_set;
static volatile int is_over;
static unsigned long long done;

static void submit(void);

static void fail(const char *what, int code) {
    fprintf(stderr, "%s: %s\n", what, zerror(code));
    _exit(1);
}

static void count(void) {
    __atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
    if (!is_over) submit();
}

static void got(int rc, const char *value, int length, const struct Stat *stat, const void *ctx) {
    (void)value, (void)stat, (void)ctx;
    if (is_over) return;
    if (rc != ZOK || length != DATA_LENGTH) fail("get", rc);
    count();
}

static void was_set(int rc, const struct Stat *stat, const void *ctx) {
    (void)stat, (void)ctx;
    if (is_over) return;
    if (rc != ZOK) fail("set", rc);
    count();
}

static void submit(void) {
    int rc = is_set ? zoo_aset(handle, PATH, data, DATA_LENGTH, -1, was_set, NULL)
                    : zoo_aget(handle, PATH, 0, got, NULL);
    if (rc != ZOK) fail("submit", rc);
}

static double now(clockid_t clock) {
    struct timespec at;
    clock_gettime(clock, &at);
    return at.tv_sec + at.tv_nsec * 1e-9;
}

/* Lets time pass until `end`. */
static void run_until(double end) {
#ifdef THREADED
    double left = end - now(CLOCK_MONOTONIC);
    if (left > 0) usleep(left * 1e6);
#else
    while (now(CLOCK_MONOTONIC) < end) {
        struct pollfd socket = {0};
        struct timeval timeout;
        int interest = 0, events = 0;
        int rc = zookeeper_interest(handle, &socket.fd, &interest, &timeout);
        if (rc != ZOK && rc != ZCONNECTIONLOSS) fail("interest", rc);
        if (interest & ZOOKEEPER_READ) socket.events |= POLLIN;
        if (interest & ZOOKEEPER_WRITE) socket.events |= POLLOUT;
        int wait_ms = timeout.tv_sec * 1000 + timeout.tv_usec / 1000;
        poll(&socket, 1, wait_ms < 100 ? wait_ms : 100);
        if (socket.revents & (POLLIN | POLLHUP | POLLERR)) events |= ZOOKEEPER_READ;
        if (socket.revents & POLLOUT) events |= ZOOKEEPER_WRITE;
        zookeeper_process(handle, events);
    }
#endif
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: %s ADDRESS get|set IN_FLIGHT SECONDS\n", argv[0]);
        return 2;
    }
    is_set = strcmp(argv[2], "set") == 0;
    int in_flight = atoi(argv[3]);
    double seconds = atof(argv[4]);
    memset(data, 'x', sizeof data);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    handle = zookeeper_init(argv[1], NULL, 30000, NULL, NULL, 0);
    if (handle == NULL) {
        perror("zookeeper_init");
        return 1;
    }
    double patience = now(CLOCK_MONOTONIC) + 10;
    while (zoo_state(handle) != ZOO_CONNECTED_STATE) {
        if (now(CLOCK_MONOTONIC) > patience) fail("connect", ZOPERATIONTIMEOUT);
        run_until(now(CLOCK_MONOTONIC) + 0.01);
    }
    for (int i = 0; i < in_flight; i++) submit();

    run_until(now(CLOCK_MONOTONIC) + WARM_UP);
    unsigned long long done_before = __atomic_load_n(&done, __ATOMIC_RELAXED);
    double start = now(CLOCK_MONOTONIC), processor = now(CLOCK_PROCESS_CPUTIME_ID);
    run_until(start + seconds);
    unsigned long long operations = __atomic_load_n(&done, __ATOMIC_RELAXED) - done_before;
    double elapsed = now(CLOCK_MONOTONIC) - start;
    processor = now(CLOCK_PROCESS_CPUTIME_ID) - processor;
    printf("%llu %.0f %.0f\n", operations, elapsed * 1e9, processor * 1e9);
    fflush(stdout);
    is_over = 1;
    /* Its session ends with the connection's. */
    _exit(0);
}
