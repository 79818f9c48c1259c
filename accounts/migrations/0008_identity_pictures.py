"""The third version of both texts: it names the small pictures that are kept so that people can compare by eye."""

from importlib import import_module

from django.db import migrations, models

face = import_module("accounts.migrations.0006_face_in_exams")
live = import_module("accounts.migrations.0007_seen_live")

IN_FACE = {
    "Only these numbers are stored, encrypted, with the date and with notes on how clear the pictures were. The pictures "
    "themselves are not kept.": "These numbers are stored, encrypted, with the date and with notes on how clear the "
    "pictures were. Of the pictures one small one is kept, encrypted as well: your head, at most 240 pixels wide and "
    "high. The others are not kept.",
    "The numbers that describe your face are kept until": "The numbers that describe your face and the small picture are "
    "kept until",
    "The reviewers and teachers of your exam see what was noted during it.": "The reviewers and teachers of your exam see "
    "what was noted during it and, in exams that ask for it, the small picture beside the pictures of your session and "
    "in its report, so that they can compare with their own eyes. Who opened it, and when, is written down.",
    "the numbers are then deleted at once": "the numbers and the small picture are then deleted at once",
}
IN_FACE_BN = {
    "শুধু এই সংখ্যাগুলো এনক্রিপ্ট করে রাখা হয়, সঙ্গে থাকে তারিখ এবং ছবিগুলো কতটা স্পষ্ট ছিল সেই তথ্য। ছবিগুলো রেখে দেওয়া হয় না।": "এই "
    "সংখ্যাগুলো এনক্রিপ্ট করে রাখা হয়, সঙ্গে থাকে তারিখ এবং ছবিগুলো কতটা স্পষ্ট ছিল সেই তথ্য। ছবিগুলো থেকে একটি ছোট ছবিও "
    "এনক্রিপ্ট করে রাখা হয়: শুধু আপনার মাথার অংশ, লম্বায় ও চওড়ায় সর্বোচ্চ ২৪০ পিক্সেল। বাকি ছবি রেখে দেওয়া হয় না।",
    "আপনার মুখের বর্ণনা দেওয়া সংখ্যাগুলো রাখা হয় যতদিন না": "আপনার মুখের বর্ণনা দেওয়া সংখ্যাগুলো ও মাথার ছোট ছবিটি রাখা হয় যতদিন "
    "না",
    "তা আপনার পরীক্ষার পর্যালোচক ও শিক্ষকেরা দেখতে পান।": "তা আপনার পরীক্ষার পর্যালোচক ও শিক্ষকেরা দেখতে পান। যেসব পরীক্ষায় "
    "প্রয়োজন সেখানে নিজের চোখে মিলিয়ে দেখার জন্য তাঁরা আপনার সেশনের ছবির পাশে ও সেশনের প্রতিবেদনে মাথার ছোট ছবিটিও দেখতে পান। কে "
    "কখন ছবিটি খুলেছেন, তা লিখে রাখা হয়।",
    "সংখ্যাগুলো তখনই মুছে ফেলা হয়": "সংখ্যাগুলো ও ছোট ছবিটি তখনই মুছে ফেলা হয়",
}
IN_PROCTORING = {
    live.KEPT: live.KEPT
    + " Of the system check one small picture of your head is kept, encrypted, at most 240 pixels wide and high, so that "
    "people can compare who began the exam with who is seen later. It is deleted together with the other pictures of "
    "your session or, if you do not begin the exam, after a day.",
    "among those of all candidates, your newest picture": "among those of all candidates or on the page of your session, "
    "your newest picture",
}
IN_PROCTORING_BN = {
    live.KEPT_BN: live.KEPT_BN
    + " সিস্টেম যাচাইয়ের ছবি থেকে আপনার মাথার একটি ছোট ছবি (লম্বায় ও চওড়ায় সর্বোচ্চ ২৪০ পিক্সেল) এনক্রিপ্ট করে রাখা হয়, যাতে কে "
    "পরীক্ষা শুরু করেছেন আর পরে কাকে দেখা গেছে, মানুষ তা মিলিয়ে দেখতে পারেন। আপনার সেশনের অন্য ছবিগুলোর সঙ্গে এটিও মুছে ফেলা হয়; "
    "পরীক্ষা শুরু না করলে মুছে ফেলা হয় এক দিন পর।",
    "সব পরীক্ষার্থীর সঙ্গে আপনার সর্বশেষ ছবি": "সব পরীক্ষার্থীর সঙ্গে কিংবা আপনার সেশনের পৃষ্ঠায় আপনার সর্বশেষ ছবি",
}


def _with(text, changes):
    for before, after in changes.items():
        text = text.replace(before, after)
    return text


FACE, FACE_BN = _with(face.FACE, IN_FACE), _with(face.FACE_BN, IN_FACE_BN)
PROCTORING, PROCTORING_BN = _with(live.PROCTORING, IN_PROCTORING), _with(live.PROCTORING_BN, IN_PROCTORING_BN)
TEXTS = (
    ("face", face.FACE, {"text": FACE, "text_bn": FACE_BN, "in_exams": True}),
    ("proctoring", live.PROCTORING, {"text": PROCTORING, "text_bn": PROCTORING_BN}),
)


def publish(apps, schema_editor):
    """Publish the third versions, each unless the institution has a text of its own, which then stays the one that counts.

    Going back leaves them, since people may have agreed to them; coming again finds them.
    """
    ConsentText = apps.get_model("accounts", "ConsentText")
    for purpose, before, values in TEXTS:
        texts = ConsentText.objects.filter(purpose=purpose)
        newest = texts.order_by("-version").first()
        if newest is not None and newest.text == before:
            titles = {"title": newest.title, "title_bn": newest.title_bn}
            ConsentText.objects.create(purpose=purpose, version=newest.version + 1, **titles, **values)
        texts.filter(text=values["text"]).update(keeps_picture=True)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_seen_live")]
    operations = [
        migrations.AddField(
            model_name="consenttext",
            name="keeps_picture",
            field=models.BooleanField(
                default=False,
                help_text="A small picture of the head: of the enrolled face (recognition by face), of the system check "
                "(proctoring). Without it none is kept.",
                verbose_name="says that an identity picture is kept",
            ),
        ),
        migrations.AddField(
            model_name="faceenrolment",
            name="picture",
            field=models.BinaryField(null=True, verbose_name="picture, encrypted"),
        ),
        migrations.RunPython(publish, migrations.RunPython.noop),
    ]
