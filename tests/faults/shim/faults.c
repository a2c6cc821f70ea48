/*
 * Makes the machine fail below a server: a library to be loaded before the C library (LD_PRELOAD), ruled by a file that a test
 * writes numbers into (FAULTS_CONTROL). Faults of files strike below one directory only (FAULTS_BELOW), so that the server's
 * sockets and log are left alone. Numbers have their places in `struct control`; `shim.rs` names the same ones.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    /* What a test rules. */
    _Atomic int64_t write_errno;    /* each write, 0 for none */
    _Atomic int64_t limited;        /* whether the disk has an end */
    _Atomic int64_t free_bytes;     /* how much files can grow, then ENOSPC */
    _Atomic int64_t sync_errno;     /* each fsync and fdatasync */
    _Atomic int64_t sync_delay_us;
    _Atomic int64_t write_delay_us;
    _Atomic int64_t read_errno;
    _Atomic int64_t open_errno;     /* each open below the directory */
    _Atomic int64_t open_write_errno; /* each open for writing below the directory, and each mkdir and unlink there */
    _Atomic int64_t accept_errno;
    _Atomic int64_t clock_offset_ns; /* of the wall clock */
    _Atomic int64_t reserved[5];
    /* What it tells. */
    _Atomic int64_t writes;
    _Atomic int64_t syncs;
    _Atomic int64_t writes_failed;
    _Atomic int64_t syncs_failed;
    _Atomic int64_t reads_failed;
    _Atomic int64_t opens_failed;
    _Atomic int64_t accepts_failed;
    _Atomic int64_t clocks_read;
};

static struct control none;
static struct control *control = &none;
static char below[4096];
static size_t below_length;

/* Whether a descriptor is of a file below the directory. */
#define DESCRIPTORS 65536
static _Atomic char watched[DESCRIPTORS];

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void) {
    const char *file = getenv("FAULTS_CONTROL");
    const char *directory = getenv("FAULTS_BELOW");
    if (!file || !directory || strlen(directory) >= sizeof below) return;
    strcpy(below, directory);
    below_length = strlen(below);
    int descriptor = open(file, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped != MAP_FAILED) control = mapped;
}

static int is_below(const char *path) {
    return below_length && path && strncmp(path, below, below_length) == 0 &&
           (path[below_length] == '/' || path[below_length] == 0);
}

static int is_watched(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS && watched[descriptor];
}

static void watch(int descriptor, int yes) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS) watched[descriptor] = (char)yes;
}

static void wait_us(int64_t us) {
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (us > 0 && nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

static int fail(_Atomic int64_t *counter, int64_t error) {
    ++*counter;
    errno = (int)error;
    return -1;
}

/* How many bytes of a write the disk takes: fewer than asked for when it is about to be full, as disks do. -1 with errno. */
static ssize_t admit(int descriptor, size_t length, off_t at) {
    if (!is_watched(descriptor)) return (ssize_t)length;
    ++control->writes;
    wait_us(control->write_delay_us);
    int64_t error = control->write_errno;
    if (error) return fail(&control->writes_failed, error);
    if (!control->limited || length == 0) return (ssize_t)length;
    struct stat now;
    if (fstat(descriptor, &now) < 0) return -1;
    int64_t growth = at + (int64_t)length - now.st_size;
    if (growth <= 0) return (ssize_t)length;
    int64_t left = control->free_bytes;
    int64_t taken;
    do {
        taken = left < growth ? left : growth;
        if (taken < 0) taken = 0;
    } while (!atomic_compare_exchange_weak(&control->free_bytes, &left, left - taken));
    if (taken == growth) return (ssize_t)length;
    int64_t fits = (int64_t)length - (growth - taken);
    if (fits > 0) return fits;
    return fail(&control->writes_failed, ENOSPC);
}

static off_t place(int descriptor) {
    if (!is_watched(descriptor)) return 0;
    int flags = fcntl(descriptor, F_GETFL);
    return lseek(descriptor, 0, flags >= 0 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
}

static size_t length_of(const struct iovec *parts, int count) {
    size_t all = 0;
    for (int at = 0; at < count; at++) all += parts[at].iov_len;
    return all;
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    REAL(write);
    ssize_t taken = is_watched(descriptor) ? admit(descriptor, length, place(descriptor)) : (ssize_t)length;
    return taken < 0 ? taken : real(descriptor, bytes, (size_t)taken);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t at) {
    REAL(pwrite);
    ssize_t taken = admit(descriptor, length, at);
    return taken < 0 ? taken : real(descriptor, bytes, (size_t)taken, at);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off_t at) {
    return pwrite(descriptor, bytes, length, at);
}

/* Several parts are taken as a whole or not at all. */
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(writev);
    size_t length = is_watched(descriptor) ? length_of(parts, count) : 0;
    ssize_t taken = is_watched(descriptor) ? admit(descriptor, length, place(descriptor)) : 0;
    if (taken < 0) return taken;
    if ((size_t)taken < length) return fail(&control->writes_failed, ENOSPC);
    return real(descriptor, parts, count);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t at) {
    REAL(pwritev);
    size_t length = length_of(parts, count);
    ssize_t taken = admit(descriptor, length, at);
    if (taken < 0) return taken;
    if ((size_t)taken < length) return fail(&control->writes_failed, ENOSPC);
    return real(descriptor, parts, count, at);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t at) {
    return pwritev(descriptor, parts, count, at);
}

/* A byte more or less is not what a test of this looks at: what grows a file at once counts like a write of it. */
static int grow(int descriptor, off_t length) {
    if (!is_watched(descriptor)) return 0;
    struct stat now;
    if (fstat(descriptor, &now) < 0) return -1;
    if (length <= now.st_size && !control->write_errno) return 0;
    ssize_t wanted = length > now.st_size ? length - now.st_size : 1;
    ssize_t taken = admit(descriptor, (size_t)wanted, now.st_size);
    if (taken < 0) return -1;
    return taken < wanted ? fail(&control->writes_failed, ENOSPC) : 0;
}

int ftruncate(int descriptor, off_t length) {
    REAL(ftruncate);
    return grow(descriptor, length) < 0 ? -1 : real(descriptor, length);
}

int ftruncate64(int descriptor, off_t length) {
    return ftruncate(descriptor, length);
}

int fallocate(int descriptor, int mode, off_t at, off_t length) {
    REAL(fallocate);
    return grow(descriptor, at + length) < 0 ? -1 : real(descriptor, mode, at, length);
}

int fallocate64(int descriptor, int mode, off_t at, off_t length) {
    return fallocate(descriptor, mode, at, length);
}

int posix_fallocate(int descriptor, off_t at, off_t length) {
    REAL(posix_fallocate);
    return grow(descriptor, at + length) < 0 ? errno : real(descriptor, at, length);
}

int posix_fallocate64(int descriptor, off_t at, off_t length) {
    return posix_fallocate(descriptor, at, length);
}

static int admit_sync(int descriptor) {
    if (!is_watched(descriptor)) return 0;
    ++control->syncs;
    wait_us(control->sync_delay_us);
    int64_t error = control->sync_errno;
    return error ? fail(&control->syncs_failed, error) : 0;
}

int fsync(int descriptor) {
    REAL(fsync);
    return admit_sync(descriptor) < 0 ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
    REAL(fdatasync);
    return admit_sync(descriptor) < 0 ? -1 : real(descriptor);
}

static int admit_read(int descriptor) {
    int64_t error = is_watched(descriptor) ? control->read_errno : 0;
    return error ? fail(&control->reads_failed, error) : 0;
}

ssize_t read(int descriptor, void *bytes, size_t length) {
    REAL(read);
    return admit_read(descriptor) < 0 ? -1 : real(descriptor, bytes, length);
}

ssize_t pread(int descriptor, void *bytes, size_t length, off_t at) {
    REAL(pread);
    return admit_read(descriptor) < 0 ? -1 : real(descriptor, bytes, length, at);
}

ssize_t pread64(int descriptor, void *bytes, size_t length, off_t at) {
    return pread(descriptor, bytes, length, at);
}

static int admit_open(const char *path, int flags) {
    if (!is_below(path)) return 0;
    if (control->open_errno) return fail(&control->opens_failed, control->open_errno);
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    if (writes && control->open_write_errno) return fail(&control->opens_failed, control->open_write_errno);
    return 0;
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments); \
    }

int open(const char *path, int flags, ...) {
    REAL(open);
    MODE(flags, mode)
    if (admit_open(path, flags) < 0) return -1;
    int descriptor = real(path, flags, mode);
    watch(descriptor, is_below(path));
    return descriptor;
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    REAL(openat);
    MODE(flags, mode)
    if (admit_open(path, flags) < 0) return -1;
    int descriptor = real(directory, path, flags, mode);
    watch(descriptor, is_below(path));
    return descriptor;
}

int openat64(int directory, const char *path, int flags, ...) {
    MODE(flags, mode)
    return openat(directory, path, flags, mode);
}

int close(int descriptor) {
    REAL(close);
    watch(descriptor, 0);
    return real(descriptor);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (admit_open(path, O_CREAT) < 0) return -1;
    return real(path, mode);
}

int unlink(const char *path) {
    REAL(unlink);
    if (admit_open(path, O_CREAT) < 0) return -1;
    return real(path);
}

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
    REAL(accept4);
    if (control->accept_errno) return fail(&control->accepts_failed, control->accept_errno);
    int descriptor = real(listener, address, length, flags);
    watch(descriptor, 0);
    return descriptor;
}

static void shift(struct timespec *time) {
    ++control->clocks_read;
    int64_t offset = control->clock_offset_ns;
    time->tv_sec += offset / 1000000000;
    time->tv_nsec += offset % 1000000000;
    if (time->tv_nsec < 0) {
        time->tv_nsec += 1000000000;
        time->tv_sec -= 1;
    } else if (time->tv_nsec >= 1000000000) {
        time->tv_nsec -= 1000000000;
        time->tv_sec += 1;
    }
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    REAL(clock_gettime);
    int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(time);
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) < 0) return -1;
    time->tv_sec = precise.tv_sec;
    time->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) < 0) return -1;
    if (out) *out = precise.tv_sec;
    return precise.tv_sec;
}
