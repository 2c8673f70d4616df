package interop;

/** How a directory is opened. Sizes are not written in it, so both sides must have the same. */
public final class Settings {
    public String directory;
    /** Bytes of a commit log file. */
    public int logFileSize;
    /** Entries of a consume queue file. */
    public int queueEntries;
    /** The topic whose records may hold several messages. */
    public String batchTopic;
    public int indexSlots;
    public int indexItems;
    /** Whether each message ends with the checksum property. */
    public boolean checksums;
    /** Whether a message is on the medium before it is acknowledged. */
    public boolean syncFlush;
    /** Whether the end is a crash. */
    public boolean halt;
}
