"""Notifications in DynamoDB: keys, items, conditions.

Access patterns (`pk`, `sk`), in a table of their own:
    a notification by its event's id          `N#<account>#<event>`,          `#`
    its attempts, oldest first                `N#<account>#<event>`,          `A#<number>`
    an account's notifications, counted       see `tollgate.store.listing`, name `notifications`,
                                              facets `<status>:<event type>`
    notifications of one object, in order     `SUBJECT#<account>#<subject>`,  `<sequence>`
    what is due, oldest first                 `DUE#<shard of the account>`,   `<due_at>#<account>#<event>`
    what a disabled endpoint holds back       `PARKED#<account>`,             `<sequence>`
    accounts that hold something back         `HELD`,                         `<account>`
    the newest open one of an object          `LANE#<account>#<subject>`,     `#`
    those waiting for an earlier one          `LANE#<account>#<subject>`,     `<sequence>`
    an endpoint: numbers given out, health    `ENDPOINT#<account>`,           `#`
    accounts by when their oldest expires     `RETAIN`,                       `<moment>#<account>`

Rows in lists hold an id; what is shown of a notification is read from its item, the only place where it changes.
Outbox records lie in the tables of those who announce (`tollgate.events`); a notification is made in the transaction
that removes its record, so an event is in exactly one of the two places.
"""
