// Package delivery sends the mails of the outbox, by SMTP or into files.
//
// A [Dispatcher] leases mails, renders them with their link and sends them in the order
// in which they were written to each recipient. While the mail server is down, nothing is
// lost and no attempt counts. A mail is sent twice at most, if a process ends between
// sending it and recording that; both have the same Message-ID, by which receivers can
// discard the second.
//
// It imports the store. Begin with [Dispatcher.RunBatch].
package delivery
