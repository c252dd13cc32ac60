"""A filter for system calls, by seccomp: no sockets, no processes, no signals to others.

What is not named here is allowed; namespaces and Landlock stand behind it. Standard library only.
"""

import ctypes
import os
import platform
import struct

NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # refuse: EPERM; unknown: ENOSYS
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
THREAD = 0x00010000  # CLONE_THREAD
OTHER_ABI = 0x40000000  # x32, which counts its calls from here on

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Name → its number on x86_64 and on aarch64; -1 where there is none.
REFUSED = {
    **{"socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201)},
    **{"execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1)},
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"kcmp": (312, 272), "process_madvise": (440, 440), "pidfd_open": (434, 434)},
    **{"pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438)},
    **{"rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "tkill": (200, 130)},
    **{"unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39)},
    **{"pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428)},
    **{"move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431)},
    **{"fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442)},
    **{"keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282)},
    **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427)},
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194)},
    **{"shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180)},
    **{"name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265)},
    **{"init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106)},
    **{"kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142)},
    **{"swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60)},
    **{"sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170)},
    **{"clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266)},
    **{"iopl": (172, -1), "ioperm": (173, -1), "modify_ldt": (154, -1)},
    **{"personality": (135, 92), "syslog": (103, 116), "fanotify_init": (300, 262)},
}
CLONE, CLONE3 = (56, 220), (435, 435)
OWN_ONLY = {"kill": (62, 129), "tgkill": (234, 131)}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def known() -> bool:
    """Tell whether there is a filter for this machine."""
    return platform.system() == "Linux" and platform.machine() in ARCHITECTURES


def install(pid: int) -> None:
    """Filter the calls of this process for good; `pid` is what it may send signals to: itself."""
    code = b"".join(program(platform.machine(), pid))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    given = _Program(len(code) // 8, code)
    if libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(given), 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def program(machine: str, pid: int) -> list[bytes]:
    """The filter as instructions of eight bytes each."""
    architecture, place = ARCHITECTURES[machine]
    found = [
        _step(LOAD, ARCHITECTURE),
        _step(EQUAL, architecture, 1, 0),
        _step(RETURN, REFUSE),
        _step(LOAD, NUMBER),
        _step(AT_LEAST, OTHER_ABI, 0, 1),
        _step(RETURN, REFUSE),
    ]
    for numbers in REFUSED.values():
        if numbers[place] >= 0:
            found += [_step(EQUAL, numbers[place], 0, 1), _step(RETURN, REFUSE)]
    found += [_step(EQUAL, CLONE3[place], 0, 1), _step(RETURN, UNKNOWN)]
    found += _if(CLONE[place], _step(ANY_BIT, THREAD, 0, 1))
    for numbers in OWN_ONLY.values():
        found += _if(numbers[place], _step(EQUAL, pid, 0, 1))
    return [*found, _step(RETURN, ALLOW)]


def _if(number: int, test: bytes) -> list[bytes]:
    """Allow a call where its first argument passes a test."""
    load, allow, refuse = _step(LOAD, ARGUMENT), _step(RETURN, ALLOW), _step(RETURN, REFUSE)
    return [_step(EQUAL, number, 0, 4), load, test, allow, refuse]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)
