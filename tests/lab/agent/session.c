// SPDX-License-Identifier: GPL-2.0-only
/* Running one command for one `lab exec`. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <dirent.h>

#include "session.h"

#define MAX_ARGS  4096
#define AFTER_MAX (256 * 1024)

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void __attribute__((noreturn)) run_command(char **argv, int in, int out, int err)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	close_range(3, ~0U, 0);
	if (chdir("/root"))
		perror("labd: /root");
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static bool spawn(struct session *s, char **argv)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return false;
	s->pid = fork();
	if (!s->pid)
		run_command(argv, in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	s->in = in[1];
	s->out = out[0];
	s->err = err[0];
	fcntl(s->in, F_SETFL, O_NONBLOCK);
	fcntl(s->out, F_SETFL, O_NONBLOCK);
	fcntl(s->err, F_SETFL, O_NONBLOCK);
	s->pidfd = s->pid > 0 ? pidfd_open(s->pid, 0) : -1;
	return s->pidfd >= 0;
}

/* The words of OPEN, after the host's name. */
static char **parse_args(char *words, size_t len)
{
	static char *argv[MAX_ARGS + 1];
	size_t n = 0;

	if (!len || words[len - 1])
		return NULL;
	for (char *p = words + strlen(words) + 1; p < words + len; p += strlen(p) + 1) {
		if (n == MAX_ARGS)
			return NULL;
		argv[n++] = p;
	}
	argv[n] = NULL;
	return n ? argv : NULL;
}

static void session_end(struct session *s)
{
	close_fd(&s->in);
	close_fd(&s->out);
	close_fd(&s->err);
	close_fd(&s->pidfd);
	s->id = 0;
}

static pid_t session_of(const char *pid)
{
	char path[64], line[512], *p;
	int sid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	if (!p || sscanf(p, ") %*c %*d %*d %d", &sid) != 1)
		sid = 0;
	fclose(f);
	return sid;
}

static bool kill_once(pid_t sid)
{
	struct dirent *entry;
	bool found = false;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    session_of(entry->d_name) != sid)
			continue;
		kill(atoi(entry->d_name), SIGKILL);
		found = true;
	}
	if (proc)
		closedir(proc);
	return found;
}

/*
 * Kill the whole session (setsid), its process groups and what was forked meanwhile included; only
 * what started a session of its own stays. Never waits: a process may hang in the kernel.
 */
static void kill_all(struct session *s)
{
	if (s->pidfd < 0)
		return;
	kill(s->pid, SIGKILL);
	for (int i = 0; i < 3 && kill_once(s->pid); i++)
		;
}

/* Forget the command; a zombie of it is reaped by a later session_step(). */
void session_kill(struct session *s)
{
	if (!s->id)
		return;
	kill_all(s);
	session_end(s);
}

void session_open(struct session *s, uint32_t id, const uint8_t *data, size_t len,
		  struct outbuf *out)
{
	static char words[FRAME_DATA];
	const char *why = "the agent could not start a process";
	char **argv;

	session_kill(s);
	s->id = id;
	s->eof = false;
	s->consumed = 0;
	s->after = 0;
	s->in_head = 0;
	s->in_tail = 0;
	memcpy(words, data, len);
	argv = parse_args(words, len);
	if (argv && spawn(s, argv))
		return;
	outbuf_put(out, id, FRAME_FAIL, why, strlen(why));
	session_end(s);
}

void session_frame(struct session *s, uint8_t type, const uint8_t *data, size_t len)
{
	if (type == FRAME_STDIN) {
		if (s->in_head) {
			memmove(s->in_data, s->in_data + s->in_head, s->in_tail - s->in_head);
			s->in_tail -= s->in_head;
			s->in_head = 0;
		}
		if (len > sizeof(s->in_data) - s->in_tail)
			return; /* beyond the window */
		memcpy(s->in_data + s->in_tail, data, len);
		s->in_tail += len;
	} else if (type == FRAME_EOF) {
		s->eof = true;
	} else if (type == FRAME_KILL) {
		kill_all(s);
	}
}

static bool feed_stdin(struct session *s)
{
	size_t left = s->in_tail - s->in_head;
	ssize_t n = left;

	if (s->in < 0) { /* the command closed it: swallow */
		s->in_head = s->in_tail;
	} else if (left) {
		n = write(s->in, s->in_data + s->in_head, left);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			close_fd(&s->in);
			n = left;
		}
		s->in_head += n;
	}
	s->consumed += n;
	if (s->eof && s->in_head == s->in_tail)
		close_fd(&s->in);
	return n > 0;
}

static bool report_window(struct session *s, struct outbuf *out)
{
	uint8_t u32[4] = { s->consumed, s->consumed >> 8, s->consumed >> 16, s->consumed >> 24 };

	if (!s->consumed || (s->consumed < STDIN_WINDOW / 8 && s->in_head != s->in_tail))
		return false;
	if (!outbuf_put(out, s->id, FRAME_WINDOW, u32, sizeof(u32)))
		return false;
	s->consumed = 0;
	return true;
}

static bool drain_pipe(struct session *s, int *fd, uint8_t type, struct outbuf *out)
{
	uint8_t data[FRAME_DATA];
	ssize_t n;

	if (*fd < 0 || outbuf_space(out) < 2 * FRAME_WIRE)
		return false;
	n = read(*fd, data, sizeof(data));
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		close_fd(fd);
		return true;
	}
	s->after += s->pidfd < 0 ? n : 0;
	return outbuf_put(out, s->id, type, data, n);
}

/*
 * A background child that still holds the pipes must not die of SIGPIPE: somebody reads on. A program of
 * its own, so that it holds nothing of the link.
 */
static void leave_drainer(struct session *s)
{
	if ((s->out < 0 && s->err < 0) || fork())
		return;
	dup2(s->out >= 0 ? s->out : s->err, 3);
	dup2(s->err >= 0 ? s->err : s->out, 4);
	close_range(5, ~0U, 0);
	execl("/proc/self/exe", "labd", "drain", NULL);
	_exit(1);
}

void drain_forever(void)
{
	struct pollfd fds[2] = { { 3, POLLIN, 0 }, { 4, POLLIN, 0 } };
	char data[4096];
	ssize_t n;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		poll(fds, 2, -1);
		for (int i = 0; i < 2; i++) {
			n = fds[i].fd >= 0 && fds[i].revents ? read(fds[i].fd, data, sizeof(data)) :
							       1;
			if (!n || (n < 0 && errno != EAGAIN))
				fds[i].fd = -1;
		}
	}
}

static bool reap(struct session *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != s->pid || s->pidfd < 0)
			continue; /* a drainer, or killed with an earlier session */
		s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		close_fd(&s->pidfd);
		return true;
	}
	return false;
}

static bool report_exit(struct session *s, struct outbuf *out)
{
	uint8_t u32[4] = { s->status };

	if (s->pidfd >= 0 || !outbuf_put(out, s->id, FRAME_EXIT, u32, sizeof(u32)))
		return false;
	leave_drainer(s);
	session_end(s);
	return true;
}

/* Move what can be moved; false when nothing could. */
bool session_step(struct session *s, struct outbuf *out)
{
	bool moved;

	if (!s->id)
		return false;
	/* First the end, then the pipes: what the command wrote before its end is in them by then. */
	moved = reap(s);
	moved |= feed_stdin(s);
	moved |= report_window(s, out);
	moved |= drain_pipe(s, &s->out, FRAME_STDOUT, out);
	moved |= drain_pipe(s, &s->err, FRAME_STDERR, out);
	/* A child that writes for ever doesn't hold up the end: more than the pipes' content is its own. */
	if ((moved && s->after < AFTER_MAX) || outbuf_space(out) < 2 * FRAME_WIRE)
		return moved;
	return report_exit(s, out) || moved;
}

int session_fds(struct session *s, struct pollfd *fds, bool out_has_room)
{
	int n = 0;

	if (!s->id)
		return 0;
	if (s->pidfd >= 0)
		fds[n++] = (struct pollfd){ s->pidfd, POLLIN, 0 };
	if (s->in >= 0 && s->in_head != s->in_tail)
		fds[n++] = (struct pollfd){ s->in, POLLOUT, 0 };
	if (s->out >= 0 && out_has_room)
		fds[n++] = (struct pollfd){ s->out, POLLIN, 0 };
	if (s->err >= 0 && out_has_room)
		fds[n++] = (struct pollfd){ s->err, POLLIN, 0 };
	return n;
}
