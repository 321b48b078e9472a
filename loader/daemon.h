/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two daemons (attach, broker) share: lock file, background, readiness, signals.
 */
#ifndef VMC_DAEMON_H
#define VMC_DAEMON_H

#include <sys/types.h>

#define DAEMON_ATTACH_LOCK "/run/vmc-loader.lock"
#define DAEMON_BROKER_LOCK "/run/vmc-broker.lock"

int daemon_lock(const char *path, pid_t *holder);
int daemon_lock_probe(const char *path, pid_t *holder);
int daemon_end(const char *path, pid_t *ended);
int daemon_fork(void);
void daemon_ready(void);
void daemon_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int daemon_exit(int status);
int daemon_signals(void);
int daemon_signal_read(int fd);

#endif
