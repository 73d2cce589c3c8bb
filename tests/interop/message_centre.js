// SPDX-License-Identifier: Apache-2.0
// A message centre made of the npm package `smpp`, for node_test.py: answers binds and submit_sm, gives
// receipts (by text alone, and with TLVs), asks enquire_link and lets one number reply STOP. A line of
// JSON for everything that it sees, as that package understands it.
//
//     node message_centre.js PORT NUMBER-THAT-SAYS-STOP [unmarked]
//
// "unmarked": receipts by text alone, which nothing but their text tells from a reply; and it asks enquire_link
// itself before it answers one.
'use strict';
const smpp = require('smpp');

const [port, leaver, unmarked] = process.argv.slice(2);
let submits = 0;

function tell(what, fields) {
    process.stdout.write(JSON.stringify({ what, ...fields }) + '\n');
}

function deliver(session, what, fields) {
    session.deliver_sm(fields, (answer) =>
        tell('deliver_sm_resp', { about: what, status: answer.command_status }));
}

function receipt(session, submit, id, withTlvs) {
    const time = '2601021304';
    const fields = {
        source_addr: submit.destination_addr, dest_addr_ton: 1, dest_addr_npi: 1,
        destination_addr: submit.source_addr, source_addr_ton: 1, source_addr_npi: 1,
        esm_class: unmarked ? 0 : smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
        short_message: `id:${id} sub:001 dlvrd:001 submit date:${time} done date:${time} stat:DELIVRD err:000 text:`,
    };
    if (withTlvs) {
        fields.receipted_message_id = id;
        fields.message_state = 2;
        fields.network_error_code = Buffer.from([3, 0, 0]);
    }
    deliver(session, withTlvs ? 'receipt with TLVs' : 'receipt by text', fields);
}

function reply(session, submit, words) {
    deliver(session, 'STOP', {
        source_addr: submit.destination_addr, source_addr_ton: 1, source_addr_npi: 1,
        destination_addr: submit.source_addr, dest_addr_ton: 1, dest_addr_npi: 1,
        short_message: words,
    });
}

function take(session, submit) {
    const id = `npm-${++submits}`;
    const message = submit.short_message || {};
    tell('submit_sm', {
        id, from: submit.source_addr, to: submit.destination_addr, text: message.message,
        coding: submit.data_coding, esm_class: submit.esm_class, registered: submit.registered_delivery,
        udh: message.udh && message.udh.map((element) => [...element]),
    });
    session.send(submit.response({ message_id: id }));
    if (submit.registered_delivery & 1)
        receipt(session, submit, id, !unmarked && submits % 2 === 0);
    if (submit.destination_addr === leaver && /Reply STOP/.test(message.message))
        reply(session, submit, 'Stop.');
}

function serve(session) {
    session.on('error', (error) => tell('error', { message: error.message }));
    session.on('close', () => tell('close'));
    session.on('bind_transceiver', (bind) => {
        tell('bind_transceiver', { system_id: bind.system_id, password: bind.password, version: bind.interface_version });
        session.send(bind.response({ system_id: 'npm', sc_interface_version: 0x34 }));
        session.enquire_link((answer) => tell('enquire_link_resp', { status: answer.command_status }));
    });
    session.on('enquire_link', (question) => {
        tell('enquire_link');
        if (!unmarked)
            return session.send(question.response());
        session.enquire_link(); // overtakes the answer
        setTimeout(() => session.send(question.response()), 20);
    });
    session.on('submit_sm', (submit) => take(session, submit));
    session.on('unbind', (unbind) => {
        tell('unbind');
        session.send(unbind.response(), () => session.close());
    });
    session.on('generic_nack', () => tell('generic_nack'));
    session.on('unknown', () => tell('unknown'));
}

smpp.createServer(serve).listen(Number(port), '127.0.0.1', () => tell('listening'));
