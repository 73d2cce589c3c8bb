// SPDX-License-Identifier: Apache-2.0
// A client made of the npm package `smpp`, for node_test.py: binds, submits texts of every alphabet to
// smsc-sim, takes receipts and replies, unbinds. A line of JSON for everything that comes back.
//
//     node client.js PORT FROM TO...      one text to each TO; ends once each has its receipt, and its
//                                         reply where the text asks for one
'use strict';
const smpp = require('smpp');

const [port, from, ...numbers] = process.argv.slice(2);
const texts = ['Spring sale. Reply STOP to end', 'with { } [ ] and € of the extension table', 'Срочно: код 1234'];
const waiting = new Set(); // message ids without a receipt
const early = new Set(); // receipts that overtook the answer which names their message
let unanswered = 0, repliesToCome = 0;

function tell(what, fields) {
    process.stdout.write(JSON.stringify({ what, ...fields }) + '\n');
}

const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` });
session.on('error', (error) => tell('error', { message: error.message }));
session.on('close', () => tell('close'));
session.on('enquire_link', (question) => session.send(question.response()));

function leaveWhenDone() {
    if (unanswered > 0 || waiting.size > 0 || repliesToCome > 0)
        return;
    session.enquire_link((answer) => {
        tell('enquire_link_resp', { status: answer.command_status });
        session.unbind((unbound) => {
            tell('unbind_resp', { status: unbound.command_status });
            session.close();
        });
    });
}

session.on('deliver_sm', (deliver) => {
    const text = deliver.short_message.message;
    const isReceipt = (deliver.esm_class & smpp.ESM_CLASS.MC_DELIVERY_RECEIPT) !== 0;
    session.send(deliver.response());
    tell(isReceipt ? 'receipt' : 'reply', {
        from: deliver.source_addr, to: deliver.destination_addr, text, coding: deliver.data_coding,
        id: deliver.receipted_message_id, state: deliver.message_state,
    });
    if (!isReceipt)
        repliesToCome--;
    else if (!waiting.delete(deliver.receipted_message_id))
        early.add(deliver.receipted_message_id);
    leaveWhenDone();
});

function submit(to, text) {
    unanswered++;
    if (/Reply STOP/.test(text))
        repliesToCome++;
    session.submit_sm({
        source_addr: from, source_addr_ton: 1, source_addr_npi: 1,
        destination_addr: to, dest_addr_ton: 1, dest_addr_npi: 1,
        registered_delivery: 1, short_message: text,
    }, (answer) => {
        unanswered--;
        tell('submit_sm_resp', { to, text, status: answer.command_status, id: answer.message_id });
        if (!early.delete(answer.message_id))
            waiting.add(answer.message_id);
        leaveWhenDone();
    });
}

session.on('connect', () => {
    session.bind_transceiver({ system_id: 'npm', password: 'pass1234', interface_version: 0x34 }, (answer) => {
        tell('bind_transceiver_resp', { status: answer.command_status, system_id: answer.system_id,
            version: answer.sc_interface_version });
        numbers.forEach((to, n) => submit(to, texts[n % texts.length]));
    });
});
