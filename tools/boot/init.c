/*
 * The first process of the enclave under QEMU, in the place of AWS's: the same layout of the ramdisks
 * (https://github.com/aws/aws-nitro-enclaves-sdk-bootstrap, init/init.c), without its heartbeat.
 *
 * /cmd and /env hold a word a line; the program runs in /rootfs. When it ends, so does the machine. AWS's kernel
 * has the drivers of its machine built in; Debian's has them in modules, which this program holds itself, but for
 * /nsm.ko, which is where AWS's init expects it too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 256 };

#define MODULE(name)                                                                       \
    extern const char name[], name##_end[];                                                \
    __asm__(".section .rodata\n" #name ": .incbin \"" #name ".ko\"\n" #name "_end:\n.previous\n")

MODULE(vsock);
MODULE(vmw_vsock_virtio_transport_common);
MODULE(vmw_vsock_virtio_transport);
MODULE(virtio_mmio);

static void fail(const char *what)
{
    printf("init: %s: %s\n", what, strerror(errno));
    reboot(RB_AUTOBOOT);
    _exit(1);
}

static void mount_at(const char *type, const char *where, unsigned long flags, const char *options)
{
    if (mkdir(where, 0755) < 0 && errno != EEXIST)
        fail(where);
    if (mount(type, where, type, flags, options) < 0)
        fail(where);
}

static char **read_words(const char *path)
{
    static char line[1 << 16];
    char **words = calloc(MAX_WORDS + 1, sizeof *words);
    size_t count = 0;
    FILE *file = fopen(path, "r");

    if (!file || !words)
        fail(path);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (count == MAX_WORDS) {
            errno = E2BIG;
            fail(path);
        }
        words[count] = strdup(line);
        if (!words[count++])
            fail(path);
    }
    fclose(file);
    return words;
}

static void load(const char *name, const char *module, const char *end, const char *parameters)
{
    if (syscall(SYS_init_module, module, (unsigned long)(end - module), parameters) < 0)
        fail(name);
}

/* Collects what the kernel's command line says of virtio_mmio, which a kernel gives built-in drivers alone. */
static char *mmio_parameters(void)
{
    static char line[1 << 14], parameters[1 << 14];
    const char prefix[] = "virtio_mmio.";
    FILE *file = fopen("/proc/cmdline", "r");

    if (!file || !fgets(line, sizeof line, file))
        fail("/proc/cmdline");
    fclose(file);
    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
        if (strncmp(word, prefix, sizeof prefix - 1) == 0) {
            strcat(parameters, word + sizeof prefix - 1);
            strcat(parameters, " ");
        }
    return parameters;
}

static void load_drivers(void)
{
    int nsm = open("/nsm.ko", O_RDONLY | O_CLOEXEC);

    load("vsock", vsock, vsock_end, "");
    load("vmw_vsock_virtio_transport_common", vmw_vsock_virtio_transport_common,
         vmw_vsock_virtio_transport_common_end, "");
    load("vmw_vsock_virtio_transport", vmw_vsock_virtio_transport, vmw_vsock_virtio_transport_end, "");
    if (nsm >= 0 && syscall(SYS_finit_module, nsm, "", 0) < 0)
        fail("/nsm.ko");
    load("virtio_mmio", virtio_mmio, virtio_mmio_end, mmio_parameters());
}

int main(void)
{
    char **argv, **envp;
    int status = 0;
    pid_t child, ended;

    mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, NULL);
    if (!freopen("/dev/console", "r", stdin) || !freopen("/dev/console", "w", stdout) ||
        !freopen("/dev/console", "w", stderr))
        fail("/dev/console");
    setvbuf(stdout, NULL, _IONBF, 0);

    mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    load_drivers();
    argv = read_words("/cmd");
    envp = read_words("/env");
    mount_at("devtmpfs", "/rootfs/dev", MS_NOSUID | MS_NOEXEC, NULL);
    mount_at("tmpfs", "/rootfs/dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777");
    mount_at("proc", "/rootfs/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_at("sysfs", "/rootfs/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_at("tmpfs", "/rootfs/run", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755");
    mount_at("tmpfs", "/rootfs/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
    if (chdir("/rootfs") < 0 || chroot(".") < 0)
        fail("/rootfs");

    child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        setsid();
        execve(argv[0], argv, envp);
        printf("init: %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    while ((ended = wait(&status)) != child)
        if (ended < 0 && errno != EINTR)
            fail("wait");
    printf("init: the program ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    reboot(RB_AUTOBOOT);
    return 1;
}
