/* Preloaded into a control: a machine whose disk is told nothing, under a program that is as it was. */
int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
