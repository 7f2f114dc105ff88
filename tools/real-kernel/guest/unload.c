/* unload MODULE: delete_module() and nothing else; rmmod first looks whether the module is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: unload MODULE\n");
		return 2;
	}
	error = syscall(SYS_delete_module, argv[1], O_NONBLOCK) ? errno : 0;
	printf("unload: %s: %s\n", argv[1], error ? strerror(error) : "unloaded");
	return error != 0;
}
