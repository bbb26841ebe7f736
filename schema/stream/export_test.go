package stream

import "time"

// BePatient lets each try wait a long time for the broker's answer. A late answer makes it unclear
// whether a message is ours, and some tests need to be sure, on a busy machine too.
func (c *Conn) BePatient() { c.tryFor = time.Hour }
