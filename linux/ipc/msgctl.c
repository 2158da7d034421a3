/* msgctl, and /proc/sysvipc/msg. */
#include "linux/ipc/msg.h"
#include "linux/ipc/msg_queue.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

enum { MSGSSZ = 16, MSGSEG = 0xffff, MSGPOOL = MSGMNI * (MSGMNB / 1024) };

static int64_t info_tell(uint32_t command, uint64_t to) {
    struct msginfo info = {.msgpool = MSGPOOL,
                           .msgmap = MSGMNB,
                           .msgmax = (int32_t)msg_limits.msgmax,
                           .msgmnb = (int32_t)msg_limits.msgmnb,
                           .msgmni = (int32_t)msg_limits.msgmni,
                           .msgssz = MSGSSZ,
                           .msgtql = MSGMNB,
                           .msgseg = MSGSEG};
    mutex_lock(&msg_queues.lock);
    int64_t last = ipc_last_index(&msg_queues);
    if (command == MSG_INFO) {
        info.msgpool = (int32_t)msg_queues.used;
        info.msgmap = (int32_t)msg_count_all;
        info.msgtql = (int32_t)msg_bytes_all;
    }
    mutex_unlock(&msg_queues.lock);
    return guest_copy_out(to, &info, sizeof(info)) ? -EFAULT : last;
}

static void queue_describe(const struct ipc_object *object, union ipc_state *state) {
    const struct msg_queue *queue = container_of(object, const struct msg_queue, object);
    state->queue = (struct msqid64_ds){.send_time = queue->send_time,
                                       .receive_time = queue->receive_time,
                                       .change_time = object->change_time,
                                       .bytes = queue->bytes,
                                       .messages = queue->count,
                                       .bytes_most = queue->bytes_most,
                                       .sender = queue->sender,
                                       .receiver = queue->receiver};
}

/* Only root makes a queue larger than a new one is. Whoever waits asks again: for room, and for permission.
 */
static int queue_change(struct ipc_object *object, const union ipc_state *state) {
    struct msg_queue *queue = msg_queue_of(object);
    uint64_t bytes_most = state->queue.bytes_most;
    if (bytes_most > msg_limits.msgmnb && !task_is_root(task_current()))
        return -EPERM;
    int error = ipc_change(object, &state->perm);
    if (error)
        return error;
    queue->bytes_most = bytes_most;
    msg_waits_end(queue, MSG_ASK_AGAIN);
    return 0;
}

static bool queue_remove(struct ipc_object *object) {
    ipc_remove(&msg_queues, object);
    msg_queue_free(msg_queue_of(object));
    return false;
}

static const struct ipc_control queue_control = {.stat = MSG_STAT,
                                                 .stat_any = MSG_STAT_ANY,
                                                 .size = sizeof(struct msqid64_ds),
                                                 .describe = queue_describe,
                                                 .change = queue_change,
                                                 .remove = queue_remove};

int64_t sys_msgctl(uint64_t id_word, uint64_t command_word, uint64_t buffer) {
    int32_t id = (int32_t)id_word;
    uint32_t command = (uint32_t)command_word;
    if (id < 0)
        return -EINVAL;
    if (command == IPC_INFO || command == MSG_INFO)
        return info_tell(command, buffer);
    return ipc_control(&msg_queues, &queue_control, id, command, buffer);
}

/* ---- /proc/sysvipc/msg ---- */

void msg_show(struct text *text) {
    text_add(
        text,
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime"
        "      rtime      ctime\n");
    mutex_lock(&msg_queues.lock);
    for (uint32_t i = 0; i < msg_queues.capacity; i++) {
        const struct msg_queue *q = msg_queue_of(msg_queues.slots[i]);
        if (!q)
            continue;
        text_add(text, "%10d %10d  %4o  %10llu %10llu %5u %5u %5u %5u %5u %5u ", q->object.key, q->object.id,
                 q->object.mode, (unsigned long long)q->bytes, (unsigned long long)q->count,
                 (unsigned)q->sender, (unsigned)q->receiver, q->object.uid, q->object.gid, q->object.cuid,
                 q->object.cgid);
        text_add(text, "%10llu %10llu %10llu\n", (unsigned long long)q->send_time,
                 (unsigned long long)q->receive_time, (unsigned long long)q->object.change_time);
    }
    mutex_unlock(&msg_queues.lock);
}
