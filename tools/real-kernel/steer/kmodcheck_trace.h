/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What no probe of the kernel's own can tell: `kmodcheck record` writes it down where this module is loaded. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kmodcheck_steer

#if !defined(KMODCHECK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KMODCHECK_TRACE_H

#include <linux/tracepoint.h>

/* A read() of an initstate has returned. */
TRACE_EVENT(initstate_read,
	TP_PROTO(const char *name, int ret),
	TP_ARGS(name, ret),
	TP_STRUCT__entry(
		__array(char, name, 64)
		__field(int, ret)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, 64);
		__entry->ret = ret;
	),
	TP_printk("name=\"%s\" ret=%d", __entry->name, __entry->ret)
);

/* A module that takes form, or is being freed, is UNFORMED and on the list. */
TRACE_EVENT(unformed,
	TP_PROTO(const char *name),
	TP_ARGS(name),
	TP_STRUCT__entry(
		__array(char, name, 64)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, 64);
	),
	TP_printk("name=\"%s\"", __entry->name)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE kmodcheck_trace
#include <trace/define_trace.h>
