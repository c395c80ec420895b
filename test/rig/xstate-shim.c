/*
 * Preloaded into linux.uml alone: lets user-mode Linux run on processors whose register state is larger
 * than the one it was built for.
 *
 * It keeps a guest process's floating-point registers in a buffer of fixed size (no room for AMX's 8 KiB of
 * tiles) and writes them back with PTRACE_SETREGSET. The host's kernel takes only the whole state of the
 * processor and answers a shorter one with EFAULT: "ptrace set fp regs failed", at the first process. So a
 * short write is completed with what the process has now. Nothing of a guest process lives in that rest: to
 * use the tiles a process must ask for them by arch_prctl, which user-mode Linux does not offer.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* More than any processor's state today (11 KiB with AMX). */
#define LARGEST_STATE 65536

static long system_call(long request, pid_t pid, void *address, void *data) {
  return syscall(SYS_ptrace, request, pid, address, data);
}

static long set_registers(pid_t pid, void *set, struct iovec *given) {
  static __thread unsigned char state[LARGEST_STATE] __attribute__((aligned(64)));
  struct iovec whole = {state, sizeof state};
  if (system_call(PTRACE_GETREGSET, pid, set, &whole) < 0) return -1;
  if (given->iov_len >= whole.iov_len) {
    return system_call(PTRACE_SETREGSET, pid, set, given);
  }
  memcpy(state, given->iov_base, given->iov_len);
  return system_call(PTRACE_SETREGSET, pid, set, &whole);
}

long ptrace(enum __ptrace_request request, ...) {
  va_list arguments;
  va_start(arguments, request);
  pid_t pid = va_arg(arguments, pid_t);
  void *address = va_arg(arguments, void *);
  void *data = va_arg(arguments, void *);
  va_end(arguments);

  if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
    return set_registers(pid, address, data);
  }
  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
    /* The system call writes the word; the C library returns it. */
    long word;
    if (system_call(request, pid, address, &word) < 0) return -1;
    errno = 0;
    return word;
  }
  return system_call(request, pid, address, data);
}
