/*
 * A stand-in for the modprobe of kmod v19, which distributions no longer ship: the rule by which v19
 * took a module for loaded, in front of the modprobe that is installed. It is not v19.
 *
 * For every module that `modprobe --show-depends` lists, dependencies first, as v19 went through
 * them: /sys/module/NAME without an initstate in it, or with an initstate that says live, counts as
 * 'in the kernel', and is skipped; v19 looked so at the requested module before anything else, too.
 * Every other module is handed to the kernel by finit_module(), where EEXIST counts as success.
 *
 * Called as modprobe -q -- NAME by the kernel. Compiled with -DDEPENDS='"PATH\nPATH\n"' it asks no modprobe: these are
 * the files of every name, the requested module's last.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 64

static int in_kernel(const char *name)
{
	char path[300], state[16] = "";
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		*strrchr(path, '/') = 0;
		return !stat(path, &st);
	}
	if (read(fd, state, sizeof(state) - 1) < 0)
		state[0] = 0;
	close(fd);
	return !strncmp(state, "live", 4);
}

static void name_of(const char *path, char *name, size_t size)
{
	const char *base = strrchr(path, '/');

	snprintf(name, size, "%s", base ? base + 1 : path);
	name[strcspn(name, ".")] = 0;
	for (; *name; name++)
		if (*name == '-')
			*name = '_';
}

/* The files of the modules of a name, in modprobe's order; how many. */
static int files_of(const char *wanted, char paths[MOST][256])
{
	int n = 0;
#ifdef DEPENDS
	const char *rest = DEPENDS;
	int length;

	for (; n < MOST && sscanf(rest, "%255s%n", paths[n], &length) == 1; rest += length)
		n++;
#else
	char line[300], command[300];
	FILE *list;

	if (strpbrk(wanted, "'\\"))
		return 0;
	snprintf(command, sizeof(command), "/sbin/modprobe -q --show-depends -- '%s'", wanted);
	list = popen(command, "r");
	if (!list)
		return 0;
	while (n < MOST && fgets(line, sizeof(line), list))
		if (sscanf(line, "insmod %255s", paths[n]) == 1)
			n++;
	if (pclose(list))
		return 0;
#endif
	return n;
}

int main(int argc, char **argv)
{
	char paths[MOST][256], name[256];
	int n, i;

	if (argc < 2)
		return 1;
	n = files_of(argv[argc - 1], paths);
	/* A name that no index knows is looked for as it is: the empty one is the directory of all modules. */
	if (!n)
		return !in_kernel(argv[argc - 1]);
	name_of(paths[n - 1], name, sizeof(name));
	if (in_kernel(name))
		return 0;
	for (i = 0; i < n; i++) {
		int fd;

		name_of(paths[i], name, sizeof(name));
		if (in_kernel(name))
			continue;
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return 1;
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			return 1;
		close(fd);
	}
	return 0;
}
