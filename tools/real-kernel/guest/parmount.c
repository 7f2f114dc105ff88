/*
 * parmount N FS: N processes mount a file system of type FS at once, and each says what mount(2)
 * returned. There is no device, so a file system that is registered answers ENOENT (or another
 * error of its own), and ENODEV means that get_fs_type() returned NULL.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int go[2], i, n, failed = 0;

	if (argc != 3 || (n = atoi(argv[1])) < 1 || n > 64) {
		fprintf(stderr, "usage: parmount N FS, N from 1 to 64\n");
		return 2;
	}
	if (pipe(go)) {
		perror("pipe");
		return 1;
	}
	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			failed = 1;
			break;
		}
		if (!pid) {
			char c;
			int error;

			close(go[1]);
			/* Everybody sleeps here until the parent closes its end. */
			if (read(go[0], &c, 1) < 0)
				perror("read");
			error = mount("none", "/mnt", argv[2], 0, NULL) ? errno : 0;
			printf("parmount: pid %d %s: %s\n", getpid(), argv[2],
			       error ? strerror(error) : "mounted");
			fflush(stdout);
			_exit(0);
		}
	}
	close(go[1]);
	while (wait(NULL) > 0)
		;
	return failed;
}
