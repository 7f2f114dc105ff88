/*
 * intercept ROOT ANSWERS COMMAND...: runs COMMAND in ROOT and answers its module system calls, so that
 * none reaches the kernel. ANSWERS are error numbers for finit_module() and init_module(), in order,
 * separated by commas; 0 after the last of them, and for delete_module(). Prints each call and, at
 * the end, the exit status. x86-64. Needs the right to chroot() and ptrace().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void name_of_fd(pid_t pid, long fd, char *name, size_t size)
{
	char link[64], path[512], *base;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%ld", pid, fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	base = strrchr(path, '/');
	snprintf(name, size, "%.200s", base ? base + 1 : path);
	name[strcspn(name, ".")] = 0;
	for (base = name; *base; base++)
		if (*base == '-')
			*base = '_';
}

static void string_at(pid_t pid, unsigned long at, char *text, size_t size)
{
	struct iovec to = { text, size - 1 }, from = { (void *)at, size - 1 };
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	text[n > 0 ? n : 0] = 0;
}

int main(int argc, char **argv)
{
	int status, entering = 1, answer = 0, answering = 0;
	char *answers, name[256];
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "usage: intercept ROOT ANSWERS COMMAND...\n");
		return 2;
	}
	answers = argv[2];
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return 2;
	}
	if (!pid) {
		if (chroot(argv[1]) || chdir("/")) {
			perror(argv[1]);
			_exit(126);
		}
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[3], argv + 3);
		perror(argv[3]);
		_exit(126);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		struct user_regs_struct regs;

		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) || waitpid(pid, &status, 0) < 0)
			return 2;
		if (WIFEXITED(status)) {
			printf("exit %d\n", WEXITSTATUS(status));
			return 0;
		}
		if (WIFSIGNALED(status)) {
			printf("signal %d\n", WTERMSIG(status));
			return 0;
		}
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		if (entering) {
			answering = 1;
			switch (regs.orig_rax) {
			case SYS_finit_module:
				name_of_fd(pid, regs.rdi, name, sizeof(name));
				printf("finit %s\n", name);
				answer = strtol(answers, &answers, 10);
				answers += *answers == ',';
				break;
			case SYS_init_module:
				printf("init\n");
				answer = strtol(answers, &answers, 10);
				answers += *answers == ',';
				break;
			case SYS_delete_module:
				string_at(pid, regs.rdi, name, sizeof(name));
				printf("delete %s\n", name);
				answer = 0;
				break;
			default:
				answering = 0;
			}
			if (answering) {
				/* No system call of that number: the kernel does nothing. */
				regs.orig_rax = -1;
				ptrace(PTRACE_SETREGS, pid, 0, &regs);
			}
		} else if (answering) {
			regs.rax = -answer;
			ptrace(PTRACE_SETREGS, pid, 0, &regs);
			answering = 0;
		}
		entering = !entering;
	}
}
