"""The second version of the text on being watched: it names the wall on which staff see pictures live, and the voice."""

from importlib import import_module

from django.db import migrations

before = import_module("accounts.migrations.0004_consent_texts")

KEPT = "single pictures or short pieces of sound from moments that the rules of your exam call suspicious."
LIVE = """\
 If you read a sentence aloud in the system check, a computer works out a list of numbers that describes your voice, so \
that other voices can be told from yours; these numbers are deleted when your session has been examined to its end.

Who watches live. While you sit the exam, its reviewers and teachers may see on a screen, among those of all candidates, \
your newest picture and how loud it is where you are. For this a picture is kept for a minute at most."""

KEPT_BN = "সেসব মুহূর্তের একক ছবি বা শব্দের ছোট অংশ।"
LIVE_BN = """\
 সিস্টেম যাচাইয়ের সময় আপনি একটি বাক্য পড়ে শোনালে কম্পিউটার তা থেকে কিছু সংখ্যার একটি তালিকা তৈরি করে, যা আপনার কণ্ঠের \
বর্ণনা দেয়, যাতে অন্য কণ্ঠ আপনার কণ্ঠ থেকে আলাদা করা যায়; আপনার সেশন শেষ পর্যন্ত যাচাই হয়ে গেলে এই সংখ্যাগুলো মুছে \
ফেলা হয়।

কারা সরাসরি দেখেন। পরীক্ষা চলাকালে আপনার পরীক্ষার পর্যালোচক ও শিক্ষকেরা একটি পর্দায় সব পরীক্ষার্থীর সঙ্গে আপনার সর্বশেষ \
ছবি এবং আপনার ওখানে শব্দ কতটা জোরালো, তা দেখতে পারেন। এ জন্য একটি ছবি সর্বোচ্চ এক মিনিট রাখা হয়।"""

PROCTORING = before.PROCTORING.replace(KEPT, KEPT + LIVE)
PROCTORING_BN = before.PROCTORING_BN.replace(KEPT_BN, KEPT_BN + LIVE_BN)


def publish(apps, schema_editor):
    """Publish the second version, unless the institution has a later text of its own, which then is the one that counts.

    Going back leaves it, since people may have agreed to it; coming again finds it.
    """
    ConsentText = apps.get_model("accounts", "ConsentText")
    texts = ConsentText.objects.filter(purpose="proctoring")
    if texts.filter(version=1).exists() and not texts.filter(version__gt=1).exists():
        title, _text, title_bn, _text_bn = before.TEXTS["proctoring"]
        values = {"title": title, "text": PROCTORING, "title_bn": title_bn, "text_bn": PROCTORING_BN}
        ConsentText.objects.create(purpose="proctoring", version=2, **values)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_face_in_exams")]
    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
