/* C11's threads by POSIX threads, for builds with ThreadSanitizer only.
 *
 * librdkafka uses <threads.h>, of which ThreadSanitizer (gcc 12 to 14) knows nothing: a thread made
 * by thrd_create has no state of the sanitizer's and crashes in its first intercepted call, and
 * mtx_lock orders nothing in its eyes. Defined here, in the executable, these go to the POSIX
 * functions, which are intercepted; so what librdkafka hands from thread to thread is seen as
 * ordered. In glibc the types are the same underneath. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "one is the other");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "one is the other");
_Static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "one is the other");

struct start {
    thrd_start_t run;
    void *self;
};

static void *started(void *self)
{
    struct start start = *(struct start *)self;

    free(self);
    return (void *)(intptr_t)start.run(start.self);
}

static int answer(int error)
{
    switch (error) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

int thrd_create(thrd_t *ret_thread, thrd_start_t run, void *self)
{
    struct start *start = malloc(sizeof *start);

    if (!start)
        return thrd_nomem;
    *start = (struct start){run, self};
    return answer(pthread_create(ret_thread, NULL, started, start));
}

int thrd_join(thrd_t thread, int *ret_result)
{
    void *result = NULL;
    int error = pthread_join(thread, &result);

    if (ret_result)
        *ret_result = (int)(intptr_t)result;
    return answer(error);
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);

    if (error == 0 && (type & mtx_recursive))
        error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    if (error == 0)
        error = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return answer(error);
}

void mtx_destroy(mtx_t *mutex)
{
    (void)pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int mtx_lock(mtx_t *mutex)
{
    return answer(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
    return answer(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_init(cnd_t *condition)
{
    return answer(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void cnd_destroy(cnd_t *condition)
{
    (void)pthread_cond_destroy((pthread_cond_t *)condition);
}

int cnd_signal(cnd_t *condition)
{
    return answer(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return answer(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return answer(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    return answer(
        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

void call_once(once_flag *flag, void (*run)(void))
{
    (void)pthread_once((pthread_once_t *)flag, run);
}

/* Not C11, but not known to the sanitizer either, which takes the thread for leaked. */
int pthread_clockjoin_np(pthread_t thread, void **ret_result, clockid_t clock,
                         const struct timespec *until)
{
    struct timespec now, wall;
    int64_t left_ns;

    (void)clock_gettime(clock, &now);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    left_ns = (until->tv_sec - now.tv_sec) * INT64_C(1000000000) + (until->tv_nsec - now.tv_nsec);
    left_ns = left_ns < 0 ? 0 : left_ns + wall.tv_nsec;
    wall.tv_sec += left_ns / 1000000000;
    wall.tv_nsec = left_ns % 1000000000;
    return pthread_timedjoin_np(thread, ret_result, &wall);
}
