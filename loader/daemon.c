// SPDX-License-Identifier: GPL-2.0-only
/*
 * A daemon's life: one at a time (a lock), in the background when asked, "ready" told
 * to whoever waits (systemd, or the shell that ran it with --daemon), ended by a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "daemon.h"
#include "loader.h"
#include "log.h"

/* Of a daemon that is told to end. A machine that is busy enough may take its time. */
#define END_NOTICE_MS  5000
#define END_TIMEOUT_MS 60000

/* Write end of the pipe on which the process that forked waits for an exit status. */
static int ready_fd = -1;

/*
 * Locks are POSIX record locks: the kernel names who holds one, and looking does not take
 * it. Whoever may read the file can keep us from it, so nobody else may. The pid in the
 * file is for people.
 */

/* Return: 1 when somebody else holds the lock, 0 when nobody does, or -errno. */
static int lock_find_holder(int fd, pid_t *holder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &lock))
		return -errno;
	if (lock.l_type == F_UNLCK)
		return 0;
	*holder = lock.l_pid;
	return 1;
}

/* Return: 0, -EBUSY, or -errno. */
static int lock_take(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* Whoever held the lock before us may have unlinked the file. */
static bool lock_is_at(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !lstat(path, &there) && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/* Return: 0, -EAGAIN: once more, -EBUSY, or -errno. */
static int lock_file(int fd, const char *path, pid_t *holder)
{
	int err = lock_take(fd);

	/* It may have been let go since. */
	if (err == -EBUSY && lock_find_holder(fd, holder) == 0)
		return -EAGAIN;
	if (err)
		return err;
	if (!lock_is_at(fd, path))
		return -EAGAIN;
	if (fchmod(fd, 0600) || ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0)
		return -errno;
	return 0;
}

/**
 * daemon_lock - be the only one, for as long as the process lives
 * @path: lock file; our pid is written to it
 * @holder: who holds it, with -EBUSY
 *
 * A fork doesn't inherit it. The process must not close another descriptor of the file.
 *
 * Return: the lock's file descriptor, -EBUSY when another holds it, or -errno
 */
int daemon_lock(const char *path, pid_t *holder)
{
	int fd, err;

	do {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		err = lock_file(fd, path, holder);
		if (err)
			close(fd);
	} while (err == -EAGAIN);
	return err ? err : fd;
}

/**
 * daemon_lock_probe - whether somebody holds a lock, without taking it
 * @path: lock file
 * @holder: the holder's pid when there is one
 *
 * Return: 1 when held, 0 when not, or -errno
 */
int daemon_lock_probe(const char *path, pid_t *holder)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int ret;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	ret = lock_find_holder(fd, holder);
	close(fd);
	return ret;
}

static bool wait_for_end(int pid_fd, pid_t pid)
{
	struct pollfd poll_fd = { .fd = pid_fd, .events = POLLIN };

	if (poll(&poll_fd, 1, END_NOTICE_MS) == 1)
		return true;
	say(LOG_NOTICE, "waiting for pid %d to end", pid);
	return poll(&poll_fd, 1, END_TIMEOUT_MS - END_NOTICE_MS) == 1;
}

/* Return: 0; -ESRCH: it has ended before; -ETIMEDOUT, or -errno. */
static int end_holder(const char *path, pid_t holder)
{
	int pid_fd = pidfd_open(holder, 0);
	pid_t again = 0;
	int ret;

	/* EINVAL: no process, but a group or session has its number still. */
	if (pid_fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	/* The pid may have been another's by now: its process must still hold the lock. */
	ret = daemon_lock_probe(path, &again);
	if (ret == 1 && again == holder) {
		if (pidfd_send_signal(pid_fd, SIGTERM, NULL, 0))
			ret = -errno;
		else
			ret = wait_for_end(pid_fd, holder) ? 0 : -ETIMEDOUT;
	} else if (ret >= 0) {
		ret = -ESRCH;
	}
	close(pid_fd);
	return ret;
}

/**
 * daemon_end - end the holder of a lock and take the lock over
 * @path: lock file
 * @ended: its pid when there was one, else 0
 *
 * Return: the lock's file descriptor, or -errno: -ETIMEDOUT when it doesn't end, -EBUSY
 * when another has taken the lock meanwhile, -EPERM when it is none of our pid namespace
 */
int daemon_end(const char *path, pid_t *ended)
{
	pid_t holder;
	int fd, err;

	*ended = 0;
	do {
		fd = daemon_lock(path, &holder);
		if (fd != -EBUSY)
			return fd;
		if (holder <= 0)
			return -EPERM;
		err = end_holder(path, holder);
	} while (err == -ESRCH);
	if (err)
		return err;
	*ended = holder;
	return daemon_lock(path, &holder);
}

/* The parent of a daemon: ends with the status that the daemon reports. */
static void __attribute__((noreturn)) fork_wait(int fd, pid_t child)
{
	unsigned char status;
	int wstatus;

	if (read(fd, &status, 1) == 1)
		_exit(status);
	if (waitpid(child, &wstatus, 0) == child && WIFEXITED(wstatus) && WEXITSTATUS(wstatus))
		_exit(WEXITSTATUS(wstatus));
	_exit(VMC_FAILURE);
}

/**
 * daemon_fork - go to the background; messages stay on stderr until daemon_ready()
 *
 * Call before anything that a fork doesn't inherit. Returns in the child; the
 * parent stays until daemon_ready() or the end of the child, and ends then.
 *
 * Return: 0, or -errno
 */
int daemon_fork(void)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid) {
		close(fds[1]);
		fork_wait(fds[0], pid);
	}
	close(fds[0]);
	ready_fd = fds[1];
	setsid();
	return 0;
}

static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	fflush(NULL);
	log_to_syslog();
	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
	if (chdir("/"))
		say(LOG_WARNING, "can't leave the working directory: %s", strerror(errno));
}

static void report(unsigned char status)
{
	if (ready_fd < 0)
		return;
	if (write(ready_fd, &status, 1) != 1)
		say(LOG_WARNING, "nobody waits for this daemon any more");
	close(ready_fd);
	ready_fd = -1;
}

/** daemon_ready - tell systemd, or the process that ran us with --daemon */
void daemon_ready(void)
{
	sd_notify(0, "READY=1");
	if (ready_fd < 0)
		return;
	leave_terminal();
	report(VMC_OK);
}

/**
 * daemon_status - the daemon's state in a few words, for systemctl status, when it changed
 * @fmt: one line
 */
void daemon_status(const char *fmt, ...)
{
	static char last[256];
	char text[sizeof(last)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!strcmp(text, last))
		return;
	strcpy(last, text);
	sd_notifyf(0, "STATUS=%s", text);
	say(LOG_INFO, "%s", text);
}

/**
 * daemon_exit - to be called with the exit status at the end of every run
 * @status: an enum vmc_exit; told to the parent if daemon_ready() was not reached
 *
 * Return: @status
 */
int daemon_exit(int status)
{
	report((unsigned char)status);
	return status;
}

/**
 * daemon_signals - take SIGTERM, SIGINT and SIGHUP as events
 *
 * Return: a signalfd, or -errno
 */
int daemon_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/**
 * daemon_signal_read - the next pending signal
 * @fd: from daemon_signals()
 *
 * Return: its number, or 0 when none is pending
 */
int daemon_signal_read(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
