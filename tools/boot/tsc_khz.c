/*
 * Prints the frequency of this processor's time stamp counter in kHz: an emulated guest reads the same counter,
 * but cannot measure it when the host is busy.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(void)
{
    const struct timespec pause = { .tv_nsec = 500000000 };
    uint64_t began = nanoseconds(), ticks = __rdtsc();

    nanosleep(&pause, NULL);
    ticks = __rdtsc() - ticks;
    printf("%.0f\n", (double)ticks * 1e6 / (double)(nanoseconds() - began));
    return 0;
}
