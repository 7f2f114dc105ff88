/*
 * Small programs that ask of the kernel's modules in ways of their own; argument 1 says which.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	struct timespec now, pause = { 0, 10000000 };
	struct stat st;
	int i;

	/* What it remembers of two answers is gone when it asks for the third time. */
	if (!strcmp(mode, "forgets")) {
		for (i = 0; i < 2; i++)
			stat("/sys/module/fat", &st);
		errno = 0;
		memset(&st, 0, sizeof(st));
		return access("/sys/module/vfat", F_OK) != 0;
	}
	/* Counts how often it was there: the states are as many as the counts. */
	if (!strcmp(mode, "counts")) {
		int there = 0;

		for (i = 0; i < 6; i++)
			there += !access("/sys/module/fat", F_OK);
		return there;
	}
	/* Polls until it is there: a loop. */
	if (!strcmp(mode, "polls")) {
		while (access("/sys/module/fat/initstate", F_OK))
			nanosleep(&pause, NULL);
		return 0;
	}
	/* The same with a time-out of 50 ms. */
	if (!strcmp(mode, "waits")) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		long until = now.tv_nsec + 50000000;

		while (access("/sys/module/fat/initstate", F_OK)) {
			nanosleep(&pause, NULL);
			clock_gettime(CLOCK_MONOTONIC, &now);
			if (now.tv_nsec >= until)
				return 3;
		}
		return 0;
	}
	/* Clocks that are read without a system call, and random bytes, are the same at each start. */
	if (!strcmp(mode, "clocks")) {
		char path[64];
		unsigned int auxiliary;

		clock_gettime(CLOCK_REALTIME, &now);
		snprintf(path, sizeof(path), "/sys/module/m%llx_%llx_%lx_%p_%d", __rdtsc(), __rdtscp(&auxiliary),
			 now.tv_nsec, (void *)&st, getpid());
		return !access(path, F_OK);
	}
	/* An attribute byte by byte. */
	if (!strcmp(mode, "bytes")) {
		int fd = open("/sys/module/fat/initstate", O_RDONLY);
		char letter = 0, last = 0;

		if (fd < 0)
			return 2;
		while (read(fd, &letter, 1) == 1)
			last = letter;
		return last != '\n';
	}
	return 9;
}
