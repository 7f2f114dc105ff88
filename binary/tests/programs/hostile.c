/*
 * Does what its argument says, which is never what a modprobe does. If that comes to nothing it exits 7, so that a
 * test sees whether it was stopped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void *thread(void *nothing)
{
	return nothing;
}

static int is(const char *given, const char *mode)
{
	return !strcmp(given, mode);
}

static void handler(int signal)
{
	_exit(signal);
}

static long by_int80(long number, long argument)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(argument), "c"(0), "d"(0) : "memory");
	return result;
}

static int deep(int n)
{
	volatile char much[65536];

	much[0] = n;
	return deep(n + 1) + much[0];
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	unsigned int seed;

	if (is(mode, "fork") && fork() >= 0)
		return 0;
	if (is(mode, "vfork") && vfork() >= 0)
		_exit(0);
	if (is(mode, "thread")) {
		pthread_t id;

		if (!pthread_create(&id, NULL, thread, NULL))
			return 0;
	}
	if (is(mode, "exec"))
		execl("/bin/sh", "sh", "-c", "exit 0", NULL);
	if (is(mode, "system") && !system("true"))
		return 0;
	if (is(mode, "kill-all") && !kill(-1, SIGKILL))
		return 0;
	if (is(mode, "kill-parent") && !kill(getppid(), SIGKILL))
		return 0;
	if (is(mode, "write"))
		if (open("/tmp/kmodcheck-hostile", O_WRONLY | O_CREAT, 0600) >= 0)
			return 0;
	if (is(mode, "unlink") && !unlink("/tmp/kmodcheck-hostile"))
		return 0;
	if (is(mode, "mount") && !mount("none", "/mnt", "tmpfs", 0, NULL))
		return 0;
	if (is(mode, "reboot") && !reboot(RB_AUTOBOOT))
		return 0;
	if (is(mode, "socket") && socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return 0;
	if (is(mode, "ptrace") && !ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 0;
	if (is(mode, "seccomp") && !prctl(PR_SET_SECCOMP, 1, 0, 0, 0))
		return 0;
	if (is(mode, "shared") && mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 0;
	if (is(mode, "shared-open"))
		if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, 3 | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
			return 0;
	if (is(mode, "proc-mem") && open("/proc/self/mem", O_RDONLY) >= 0)
		return 0;
	if (is(mode, "device") && open("/dev/urandom", O_RDONLY) >= 0)
		return 0;
	if (is(mode, "sections") && !access("/sys/module/vfat/sections", F_OK))
		return 0;
	if (is(mode, "no-module") && !syscall(SYS_finit_module, 0, "", 0))
		return 0;
	if (is(mode, "module-by-int80") && !by_int80(350, 0))
		return 0;
	if (is(mode, "exit-by-int80"))
		by_int80(1, 0);
	if (is(mode, "x32") && syscall(0x40000000 | SYS_getpid) > 0)
		return 0;
	if (is(mode, "vsyscall")) {
		long (*gettimeofday_page)(struct timeval *, void *) = (void *)0xffffffffff600000;
		struct timeval now;

		return gettimeofday_page(&now, NULL);
	}
	if (is(mode, "handler")) {
		signal(SIGSEGV, handler);
		*(volatile int *)8 = 0;
	}
	if (is(mode, "alarm") && !alarm(1))
		return 0;
	if (is(mode, "loop"))
		for (;;)
			;
	if (is(mode, "calls"))
		for (;;)
			getpid();
	if (is(mode, "sleeps"))
		for (;;) {
			struct timespec second = { 1, 0 }, now;

			nanosleep(&second, NULL);
			clock_gettime(CLOCK_MONOTONIC, &now);
		}
	if (is(mode, "segfault"))
		*(volatile int *)8 = 0;
	if (is(mode, "abort"))
		abort();
	if (is(mode, "trap"))
		__asm__ volatile("int3");
	if (is(mode, "step"))
		__asm__ volatile("pushf; orq $0x100, (%rsp); popf; nop; nop");
	if (is(mode, "privileged"))
		__asm__ volatile("hlt");
	if (is(mode, "memory"))
		for (;;)
			if (mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
				return 9;
	if (is(mode, "deep"))
		return deep(0);
	if (is(mode, "fickle")) {
		/* What the processor draws, nobody can take away. */
		unsigned long long drawn = 0;
		char path[64];

		__asm__ volatile("rdrand %0" : "=r"(drawn));
		snprintf(path, sizeof(path), "/sys/module/m%llx", drawn);
		return !access(path, F_OK);
	}
	if (is(mode, "fickle-inside")) {
		/* It asks the same each time, and is another one. */
		static volatile unsigned long long drawn;

		__asm__ volatile("rdrand %0" : "=r"(drawn));
		return !access("/sys/module/fat", F_OK);
	}
	if (sscanf(mode, "random-%u", &seed) == 1) {
		srandom(seed);
		for (;;) {
			long number = random() % 470;
			long a = random() % 8 - 2, b = random() & 1 ? random() : (long)&seed;

			if (number == SYS_exit || number == SYS_exit_group)
				continue;
			syscall(number, a, b, random() & 7 ? (long)&seed : random(), random() % 4096, 0, 0);
		}
	}
	return 7;
}
