/* SPDX-License-Identifier: Apache-2.0 */
/* What cppcheck has to know of headers it does not read; tools/check/tidy has it read this first. */
#ifndef CHECK_CPPCHECK_H
#define CHECK_CPPCHECK_H

/* sys/queue.h: it would take the loop's variable for one that is never set. */
#define TAILQ_FOREACH(var, head, field)                                                            \
	for ((var) = (head)->tqh_first; (var) != NULL; (var) = (var)->field.tqe_next)

#endif
