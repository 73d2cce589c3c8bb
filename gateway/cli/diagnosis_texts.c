/* SPDX-License-Identifier: Apache-2.0 */
/* What each cause means to whom: a row a cause for who runs the gateway, a row a kind of answer for customers, in
 * their language. Customers are told nothing of gates, registers or carriers. To be reviewed as tables. */
#include "gateway/cli/diagnosis.h"

const char *const diagnosis_languages[DIAGNOSIS_LANGUAGES] = {"en", "fr", "es", "ar", "pt", "de"};

enum answer {
    ANSWER_NOTHING_SENT,
    ANSWER_UNSUBSCRIBED,
    ANSWER_NEEDS_CONSENT,
    ANSWER_NOT_ALLOWED,
    ANSWER_LATER,
    ANSWER_EXPIRED,
    ANSWER_CANCELLED,
    ANSWER_SENT,
    ANSWER_UNSURE,
    ANSWER_PHONE_AWAY,
    ANSWER_PHONE_REFUSES,
    ANSWER_NETWORK,
    ANSWER_DELIVERED,
    ANSWER_COUNT
};

static const struct {
    const char *name, *words;
    enum sureness sureness;
    enum answer answer;
    const char *advice;
} causes[CAUSE_COUNT] = {
    [CAUSE_NEVER_ASKED] =
        {"never_asked", "nobody ever asked this gateway to send it", SURE_CERTAIN,
         ANSWER_NOTHING_SENT,
         "Look in the system that should have submitted it: was the number right, was it another "
         "gateway's, did the submit fail?"},
    [CAUSE_OPTED_OUT] =
        {"opted_out", "the person had opted out", SURE_CERTAIN, ANSWER_UNSUBSCRIBED,
         "Do nothing, unless the person wants to hear from you again: a reply START, or a new "
         "consent by double opt-in, lifts it."},
    [CAUSE_NO_CONSENT] =
        {"no_consent", "no consent to this program is recorded", SURE_CERTAIN, ANSWER_NEEDS_CONSENT,
         "Ask for consent (`assent consent request`); if the person says they gave it, find the "
         "evidence and record it."},
    [CAUSE_CONSENT_TOO_OLD] = {"consent_too_old", "the consent is older than the program allows",
                               SURE_CERTAIN, ANSWER_NEEDS_CONSENT,
                               "Ask for consent anew (`assent consent request`)."},
    [CAUSE_REASSIGNED] = {"reassigned", "the number may have had a new owner since the consent",
                          SURE_CERTAIN, ANSWER_NEEDS_CONSENT,
                          "Confirm with the person that the number is theirs, then ask for "
                          "consent anew."},
    [CAUSE_ON_HOLD] = {"on_hold", "the number is on hold (legal matter or complaint)", SURE_CERTAIN,
                       ANSWER_NOT_ALLOWED,
                       "Ask who put it on hold: `assent consent show NUMBER`. Send nothing "
                       "until it is released."},
    [CAUSE_DO_NOT_CALL] =
        {"do_not_call", "a do-not-call register has the number, or its copy is too old",
         SURE_CERTAIN, ANSWER_NOT_ALLOWED,
         "Import a fresh copy of the register; where it has the number, do not send."},
    [CAUSE_QUIET_HOURS] =
        {"quiet_hours", "it is quiet hours where the recipient is", SURE_CERTAIN, ANSWER_LATER,
         "Wait: it is asked again when they end. `assent consent hours NUMBER` shows the rules."},
    [CAUSE_FREQUENCY] = {"frequency", "the program's frequency cap was reached", SURE_CERTAIN,
                         ANSWER_NOT_ALLOWED,
                         "Send fewer texts, or later; the cap is `frequency_cap` of the program."},
    [CAUSE_CONTENT] = {"content", "the text broke a rule of content", SURE_CERTAIN,
                       ANSWER_NOT_ALLOWED,
                       "Correct the text: `assent send --dry-run` shows which rule."},
    [CAUSE_SENDER] = {"sender",
                      "the sender may not send this: not registered, or not a number that sends",
                      SURE_CERTAIN, ANSWER_NOT_ALLOWED,
                      "Register the sender for the class and country, or use "
                      "another one."},
    [CAUSE_SENDER_PAUSED] =
        {"sender_paused", "marketing of its sender is paused at its carrier, by its reputation",
         SURE_CERTAIN, ANSWER_LATER,
         "See which rate passed its limit (`assent reputation`), mend that, then `assent "
         "reputation release`."},
    [CAUSE_STORE_AWAY] = {"store_away", "Redis could not be asked whether it may go, so it waits",
                          SURE_CERTAIN, ANSWER_LATER,
                          "Repair Redis: `assent status` says what is wrong. Nothing is lost."},
    [CAUSE_WAITING] =
        {"waiting", "it waits for its turn at the carrier", SURE_CERTAIN, ANSWER_LATER,
         "Look at `assent status`: is the carrier bound, is the queue long, is the rate low?"},
    [CAUSE_SCHEDULED] = {"scheduled", "it is to be sent later, as its submitter said", SURE_CERTAIN,
                         ANSWER_LATER, "Wait, or cancel it and submit it anew."},
    [CAUSE_RETRYING] =
        {"retrying", "the carrier refused it for now; it is tried again", SURE_CERTAIN,
         ANSWER_LATER,
         "Wait; if many are refused, ask the carrier (`assent diagnose --carrier NAME`)."},
    [CAUSE_EXPIRED_WAITING] =
        {"expired_waiting", "its time-to-live was over before it could be sent", SURE_CERTAIN,
         ANSWER_EXPIRED,
         "See what it waited for (`assent trace`); give it a longer time-to-live, or more rate."},
    [CAUSE_CANCELLED] = {"cancelled", "it was cancelled before it was sent", SURE_CERTAIN,
                         ANSWER_CANCELLED,
                         "Ask who cancelled it; submit it anew if it is still wanted."},
    [CAUSE_ERASED] =
        {"erased", "the person's data were erased on request before it was sent", SURE_CERTAIN,
         ANSWER_CANCELLED,
         "Do nothing: who asked to be erased is sent nothing, unless by a new consent."},
    [CAUSE_ON_ITS_WAY] =
        {"on_its_way", "the carrier took it, and no receipt has come yet", SURE_LIKELY, ANSWER_SENT,
         "Wait some minutes. The phone may be off: carriers keep trying for a day or more."},
    [CAUSE_NO_RECEIPT] =
        {"no_receipt", "the carrier took it and never sent a receipt", SURE_POSSIBLE, ANSWER_UNSURE,
         "It may have arrived: ask the person. If receipts are missing for many, ask the carrier."},
    [CAUSE_UNKNOWN] = {"unknown",
                       "whether the carrier took it is not known: the link or the process broke",
                       SURE_POSSIBLE, ANSWER_UNSURE,
                       "Ask the person; do not send it again unasked, it may be there twice."},
    [CAUSE_HANDSET_AWAY] =
        {"handset_away",
         "the phone could not be reached until the carrier gave up: off, out of "
         "coverage, or its memory full",
         SURE_LIKELY, ANSWER_PHONE_AWAY,
         "Ask the person to switch the phone on and off, then send it again if it still matters."},
    [CAUSE_HANDSET_REFUSES] =
        {"handset_refuses",
         "the carrier could not deliver it: no such number, barred, or no "
         "texts on this line",
         SURE_LIKELY, ANSWER_PHONE_REFUSES,
         "Check the number with the person; a landline or a data line takes no texts."},
    [CAUSE_CARRIER_REFUSED] =
        {"carrier_refused", "the carrier refused it", SURE_CERTAIN, ANSWER_NETWORK,
         "The command_status says why; ask the carrier with the time and the sender."},
    [CAUSE_FILTERED] = {"filtered", "the carrier took it and then rejected it, as spam filters do",
                        SURE_LIKELY, ANSWER_NETWORK,
                        "Look at the text and the sender's registration; ask the carrier which "
                        "rule it broke."},
    [CAUSE_DELETED] = {"deleted", "the carrier deleted it", SURE_LIKELY, ANSWER_NETWORK,
                       "Ask the carrier why."},
    [CAUSE_DELIVERED] =
        {"delivered", "the carrier says that the phone has it", SURE_LIKELY, ANSWER_DELIVERED,
         "Look at the phone: unknown-sender or spam folder, blocked numbers, do-not-disturb, "
         "notifications; some carriers confirm what they did not deliver."},
};

/* clang-format off */
static const char *const answers[ANSWER_COUNT][DIAGNOSIS_LANGUAGES] = {
    [ANSWER_NOTHING_SENT] = {
        "We have not sent you a text at this number. Please check with us which number we should use.",
        "Nous n'avons envoyé aucun SMS à ce numéro. Vérifiez avec nous quel numéro utiliser.",
        "No hemos enviado ningún mensaje a este número. Confirme con nosotros qué número debemos usar.",
        "لم نرسل أي رسالة إلى هذا الرقم. يرجى التأكد معنا من الرقم الذي يجب أن نستخدمه.",
        "Não enviámos nenhuma mensagem para este número. Confirme connosco que número devemos usar.",
        "Wir haben an diese Nummer keine SMS gesendet. Bitte klären Sie mit uns, welche Nummer gilt."},
    [ANSWER_UNSUBSCRIBED] = {
        "You asked us to stop, so we sent nothing. Reply START if you want our messages again.",
        "Vous nous avez demandé d'arrêter : rien n'a été envoyé. Répondez START pour recevoir à nouveau nos messages.",
        "Usted nos pidió que paráramos, por eso no enviamos nada. Responda START si quiere recibir mensajes de nuevo.",
        "لقد طلبت منا التوقف، لذلك لم نرسل شيئا. أرسل START إذا أردت استلام رسائلنا من جديد.",
        "Pediu-nos para parar, por isso não enviámos nada. Responda START se quiser voltar a receber mensagens.",
        "Sie haben sich abgemeldet, deshalb haben wir nichts gesendet. Antworten Sie START, um wieder Nachrichten zu erhalten."},
    [ANSWER_NEEDS_CONSENT] = {
        "We send these messages only with your consent, and we have no valid consent for this number. You can sign up at any time.",
        "Nous n'envoyons ces messages qu'avec votre accord, et nous n'avons pas d'accord valable pour ce numéro. Vous pouvez vous inscrire à tout moment.",
        "Solo enviamos estos mensajes con su consentimiento, y no tenemos uno válido para este número. Puede suscribirse cuando quiera.",
        "نرسل هذه الرسائل بموافقتك فقط، وليست لدينا موافقة سارية لهذا الرقم. يمكنك الاشتراك في أي وقت.",
        "Só enviamos estas mensagens com o seu consentimento, e não temos um consentimento válido para este número. Pode inscrever-se quando quiser.",
        "Wir senden diese Nachrichten nur mit Ihrer Einwilligung, und für diese Nummer liegt keine gültige vor. Sie können sich jederzeit anmelden."},
    [ANSWER_NOT_ALLOWED] = {
        "We were not able to send this message under the rules that protect you from unwanted texts. We are looking into it.",
        "Nous n'avons pas pu envoyer ce message en raison des règles qui vous protègent des SMS indésirables. Nous vérifions.",
        "No pudimos enviar este mensaje por las normas que le protegen de mensajes no deseados. Lo estamos revisando.",
        "لم نتمكن من إرسال هذه الرسالة بسبب القواعد التي تحميك من الرسائل غير المرغوب فيها. نحن نتحقق من الأمر.",
        "Não pudemos enviar esta mensagem devido às regras que o protegem de mensagens indesejadas. Estamos a verificar.",
        "Wir konnten diese Nachricht nach den Regeln, die Sie vor unerwünschten SMS schützen, nicht senden. Wir prüfen das."},
    [ANSWER_LATER] = {
        "Your message has not been sent yet. It will be sent as soon as possible.",
        "Votre message n'a pas encore été envoyé. Il le sera dès que possible.",
        "Su mensaje todavía no se ha enviado. Se enviará en cuanto sea posible.",
        "لم ترسل رسالتك بعد. سترسل في أقرب وقت ممكن.",
        "A sua mensagem ainda não foi enviada. Será enviada assim que possível.",
        "Ihre Nachricht wurde noch nicht gesendet. Sie wird so bald wie möglich gesendet."},
    [ANSWER_EXPIRED] = {
        "Your message could not be sent in time. Please ask for it again.",
        "Votre message n'a pas pu être envoyé à temps. Veuillez le redemander.",
        "Su mensaje no se pudo enviar a tiempo. Por favor, solicítelo de nuevo.",
        "تعذر إرسال رسالتك في الوقت المناسب. يرجى طلبها من جديد.",
        "A sua mensagem não pôde ser enviada a tempo. Por favor, peça-a novamente.",
        "Ihre Nachricht konnte nicht rechtzeitig gesendet werden. Bitte fordern Sie sie erneut an."},
    [ANSWER_CANCELLED] = {
        "The message was withdrawn before it was sent.",
        "Le message a été retiré avant son envoi.",
        "El mensaje se retiró antes de enviarse.",
        "سحبت الرسالة قبل إرسالها.",
        "A mensagem foi retirada antes de ser enviada.",
        "Die Nachricht wurde vor dem Senden zurückgezogen."},
    [ANSWER_SENT] = {
        "We have sent your message and are waiting for your network to confirm it. Please keep your phone switched on.",
        "Nous avons envoyé votre message et attendons la confirmation de votre opérateur. Laissez votre téléphone allumé.",
        "Hemos enviado su mensaje y esperamos la confirmación de su operador. Mantenga el teléfono encendido.",
        "أرسلنا رسالتك وننتظر تأكيد شبكتك. يرجى إبقاء هاتفك مفتوحا.",
        "Enviámos a sua mensagem e aguardamos a confirmação da sua operadora. Mantenha o telefone ligado.",
        "Wir haben Ihre Nachricht gesendet und warten auf die Bestätigung Ihres Netzes. Bitte lassen Sie das Telefon eingeschaltet."},
    [ANSWER_UNSURE] = {
        "We sent your message, but your network did not confirm it. If it is not there, please ask for it again.",
        "Nous avons envoyé votre message, mais votre opérateur ne l'a pas confirmé. S'il n'est pas arrivé, redemandez-le.",
        "Enviamos su mensaje, pero su operador no lo confirmó. Si no le ha llegado, solicítelo de nuevo.",
        "أرسلنا رسالتك لكن شبكتك لم تؤكدها. إذا لم تصل فيرجى طلبها من جديد.",
        "Enviámos a sua mensagem, mas a sua operadora não a confirmou. Se não chegou, peça-a novamente.",
        "Wir haben Ihre Nachricht gesendet, aber Ihr Netz hat sie nicht bestätigt. Falls sie fehlt, fordern Sie sie bitte erneut an."},
    [ANSWER_PHONE_AWAY] = {
        "Your network could not reach your phone in time. Please switch it off and on, check your signal and memory, and ask again.",
        "Votre opérateur n'a pas pu joindre votre téléphone à temps. Éteignez-le et rallumez-le, vérifiez le réseau et la mémoire, puis réessayez.",
        "Su operador no pudo contactar con su teléfono a tiempo. Apáguelo y enciéndalo, compruebe la cobertura y la memoria, y vuelva a intentarlo.",
        "لم تتمكن شبكتك من الوصول إلى هاتفك في الوقت المناسب. أعد تشغيله وتحقق من التغطية والذاكرة ثم اطلبها من جديد.",
        "A sua operadora não conseguiu contactar o seu telefone a tempo. Desligue-o e ligue-o, verifique a rede e a memória, e tente de novo.",
        "Ihr Netz konnte Ihr Telefon nicht rechtzeitig erreichen. Bitte aus- und einschalten, Empfang und Speicher prüfen und erneut anfordern."},
    [ANSWER_PHONE_REFUSES] = {
        "Your network could not deliver our message to this number. Please check the number, and that this line can receive texts.",
        "Votre opérateur n'a pas pu remettre notre message à ce numéro. Vérifiez le numéro et que cette ligne reçoit les SMS.",
        "Su operador no pudo entregar nuestro mensaje a este número. Compruebe el número y que esta línea recibe mensajes.",
        "لم تتمكن شبكتك من تسليم رسالتنا إلى هذا الرقم. يرجى التحقق من الرقم ومن أن هذا الخط يستقبل الرسائل.",
        "A sua operadora não conseguiu entregar a nossa mensagem a este número. Verifique o número e se esta linha recebe mensagens.",
        "Ihr Netz konnte unsere Nachricht an diese Nummer nicht zustellen. Bitte prüfen Sie die Nummer und ob der Anschluss SMS empfängt."},
    [ANSWER_NETWORK] = {
        "The network did not accept our message. We are looking into it with them.",
        "Le réseau n'a pas accepté notre message. Nous vérifions avec lui.",
        "La red no aceptó nuestro mensaje. Lo estamos revisando con ella.",
        "لم تقبل الشبكة رسالتنا. نحن نتحقق من الأمر معها.",
        "A rede não aceitou a nossa mensagem. Estamos a verificar com ela.",
        "Das Netz hat unsere Nachricht nicht angenommen. Wir klären das."},
    [ANSWER_DELIVERED] = {
        "Your network says that your phone has our message. Please look for it among unknown senders and spam, and check blocked numbers and do-not-disturb.",
        "Votre opérateur indique que votre téléphone a reçu notre message. Cherchez-le parmi les expéditeurs inconnus et indésirables, et vérifiez les numéros bloqués et le mode « ne pas déranger ».",
        "Su operador indica que su teléfono tiene nuestro mensaje. Búsquelo entre remitentes desconocidos y spam, y revise los números bloqueados y el modo no molestar.",
        "تقول شبكتك إن رسالتنا وصلت إلى هاتفك. ابحث عنها بين المرسلين المجهولين والرسائل المزعجة، وتحقق من الأرقام المحظورة ووضع عدم الإزعاج.",
        "A sua operadora indica que o seu telefone tem a nossa mensagem. Procure-a entre remetentes desconhecidos e spam, e verifique os números bloqueados e o modo não incomodar.",
        "Ihr Netz meldet, dass Ihr Telefon unsere Nachricht hat. Bitte suchen Sie sie bei unbekannten Absendern und Spam, und prüfen Sie blockierte Nummern und „Bitte nicht stören“."},
};
/* clang-format on */

const char *cause_name(enum cause cause)
{
    return causes[cause].name;
}

const char *cause_words(enum cause cause)
{
    return causes[cause].words;
}

enum sureness cause_sureness(enum cause cause)
{
    return causes[cause].sureness;
}

const char *sureness_name(enum sureness sureness)
{
    static const char *const names[] = {"certain", "likely", "possible"};
    return names[sureness];
}

const char *cause_advice(enum cause cause)
{
    return causes[cause].advice;
}

const char *cause_for_customer(enum cause cause, unsigned language)
{
    return answers[causes[cause].answer][language];
}
